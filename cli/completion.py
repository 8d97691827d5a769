"""``fusedet completion``: the script with which a shell completes commands and options.

It is plain text that holds all words: a shell that starts Python at every tab would wait for it, on a board a second.
"""

import argparse
from importlib.util import find_spec

from fusedet.cli.main import COMMANDS, build_parser
from fusedet.configs import preset_names

_EPILOG = """\
once, in the shell that you use:
  fusedet completion bash >> ~/.bashrc
  fusedet completion zsh >> ~/.zshrc

A new fusedet may have new words: replace the script then.
"""

_SCRIPT = """\
_fusedet() {{
  local words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="{first}"
  else
    case "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}}" in
{cases}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _fusedet fusedet
"""
_BEFORE_IN_ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("shell", choices=("bash", "zsh"), help="for which the script is")


def run(args: argparse.Namespace) -> int:
    """Prints the script."""
    names = list(COMMANDS)
    pairs = [name for name in names if " " in name]
    first = [*dict.fromkeys(name.partition(" ")[0] for name in names), "help"]
    cases = [f'      "{name}") words="{_words(name)}" ;;' for name in pairs]
    for group in dict.fromkeys(name.partition(" ")[0] for name in pairs):
        seconds = " ".join(name.partition(" ")[2] for name in pairs if name.startswith(f"{group} "))
        cases.append(f'      "{group} "*) words="{seconds}" ;;')
    cases += [f'      "{name} "*) words="{_words(name)}" ;;' for name in names if name not in pairs]
    cases.append(f'      "help "*) words="{" ".join(first)}" ;;')
    script = _SCRIPT.format(first=" ".join(first), cases="\n".join(cases))
    print((_BEFORE_IN_ZSH if args.shell == "zsh" else "") + script, end="")
    return 0


def _words(name: str) -> str:
    """Options of a command, and the presets where one may stand first; fewer where a package is missing here."""
    if find_spec("yaml") is None and name in ("train", "tune"):
        return ""
    actions = build_parser(name)._actions  # argparse has no public way to list them
    options = [text for action in actions if action.help != argparse.SUPPRESS for text in action.option_strings]
    choices = [str(one) for action in actions if not action.option_strings for one in action.choices or ()]
    presets = preset_names() if any(action.metavar in ("CONFIG", "MODEL") for action in actions) else ()
    return " ".join([*(text for text in options if text.startswith("--")), *choices, *presets])
