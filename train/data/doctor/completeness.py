"""What a repaired copy would lack of that which a person has annotated."""

from collections.abc import Sequence

from fusedet.common.errors import InputError
from fusedet.common.text import counted
from fusedet.train.data.doctor.finding import KINDS
from fusedet.train.data.doctor.fix import Action
from fusedet.train.data.doctor.repair import RepairedSplit


def check_complete(splits: Sequence[RepairedSplit], actions: Sequence[Action], *, leave_out: bool) -> None:
    """Makes sure that no annotated image is lost unasked, and that every set of the copy can be opened.

    Raises:
        InputError: annotated images, or all the annotations of some or of a set, would be lost and ``leave_out`` is
            not set; or a set would have no image left.
    """
    for repaired in splits:
        lost = _lost(repaired)
        if lost and not leave_out:
            name = repaired.split.name
            first = repaired.by_position[lost[0]].file_name or f"images[{lost[0]}]"
            had = sum(bool(image.objects) for image in repaired.split.images)
            raise InputError(
                f"the copy would lack {len(lost)} of {counted(had, 'annotated image')} of {name}, first "
                f"{first}{_reason(actions, name, set(lost))}; "
                "nothing was written: --leave-out writes it without them"
            )
        if repaired.split.objects and not repaired.objects and not leave_out:
            raise InputError(
                f"the copy would lack the only {counted(len(repaired.split.objects), 'annotation')} of "
                f"{repaired.split.name} ({KINDS['unknown-image'].title}); "
                "nothing was written: --leave-out writes it without them"
            )
        if not repaired.images:
            raise InputError(f"the copy would have no image left in {repaired.split.name}; nothing was written")


def _lost(repaired: RepairedSplit) -> list[int]:
    """Positions of images that had annotations, and have none in the copy."""
    owners = {
        repaired.moved.get(thing.image.position, thing.image.position)
        for position in repaired.objects
        if (thing := repaired.things[position]).image is not None
        and thing.category is not None
        and thing.category.position in repaired.classes
    }
    return [
        position
        for position, image in repaired.by_position.items()
        if image.objects and position not in repaired.twins and not (position in repaired.images and position in owners)
    ]


def _reason(actions: Sequence[Action], split: str, lost: set[int]) -> str:
    """The kinds of findings that images go for."""
    kinds = dict.fromkeys(
        action.finding.kind
        for action in actions
        if action.finding.split == split and action.finding.section == "images" and action.finding.position in lost
    )
    return f" ({'; '.join(KINDS[kind].title for kind in kinds)})" if kinds else ""
