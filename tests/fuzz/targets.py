"""All readers that are fuzzed, by their names."""

from tests.fuzz import of_configs, of_data, of_models
from tests.fuzz.trial import Target

TARGETS: dict[str, Target] = {
    target.name: target for target in (*of_configs.TARGETS, *of_models.TARGETS, *of_data.TARGETS)
}
