#!/usr/bin/env python3
"""The examples of docs/api.md as a reader meets them: its `sh` blocks are run one after the other in one shell against a demo,
and what each prints must be the `text` block below it, `...` there standing for anything. A block without one must succeed.

    tests/e2e/api_page.py            checks the page
    tests/e2e/api_page.py --print    shows what each block prints"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from comparison import Comparison
from fedreg import REPOSITORY, running, scratch

PAGE = REPOSITORY / "docs/api.md"
END = "--- end of block"


def examples(page):
    """Line, commands, and the answer or None, of each example."""
    blocks = [(page.count("\n", 0, block.start()) + 1, block[1], block[2]) for block in re.finditer(r"^```(\w+)\n(.*?)^```$", page, re.M | re.S)]
    for place, (line, language, text) in enumerate(blocks):
        after = blocks[place + 1] if place + 1 < len(blocks) else (0, "", "")
        if language == "sh":
            yield line, text, after[2] if after[1] == "text" else None


def same(shown, printed):
    lines, pattern = printed.strip().splitlines(), lambda line: ".*".join(map(re.escape, line.split("...")))
    return len(lines) == len(shown.strip().splitlines()) and all(re.fullmatch(pattern(line), said) for line, said in zip(shown.strip().splitlines(), lines))


def run(shell, commands):
    """What the commands print, and the status of the last one."""
    shell.stdin.write(f"{commands}\necho; echo \"{END} $?\"\n")
    shell.stdin.flush()
    lines = []
    for line in shell.stdout:
        if line.startswith(END):
            return "".join(lines), int(line.removeprefix(END))
        lines.append(line)
    raise SystemExit(f"the shell ended in:\n{commands}{''.join(lines)}")


if not shutil.which("jq") and os.geteuid() == 0 and shutil.which("apt-get"):
    print("installing jq", flush=True)
    subprocess.run("apt-get -qq update && apt-get -qq -o DPkg::Lock::Timeout=300 install jq", shell=True, stdout=subprocess.DEVNULL)
if not shutil.which("jq"):
    sys.exit("the examples need jq, which is not installed")

checks = Comparison()
with scratch() as folder:
    log = folder / "demo.log"
    with running(["demo", "--json", "--port", "0"], log, stdout=-1, text=True) as demo:
        told = json.loads(demo.stdout.readline())
        variables = {"API": told["registry"], "ISSUER": told["issuer"], "TOKEN": told["token"], "ADMIN": told["admin_token"]}
        work = folder / "work"
        work.mkdir()
        environment = {"PATH": os.environ["PATH"], "HOME": str(work), "LC_ALL": "C.UTF-8", "NO_PROXY": "*", **variables}
        shell = subprocess.Popen(["bash", "-o", "pipefail"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=work, env=environment)
        for line, commands, answer in examples(PAGE.read_text()):
            printed, status = run(shell, commands)
            if sys.argv[1:] == ["--print"]:
                print(f"--- {PAGE.name}:{line}, status {status}\n{commands}>>>\n{printed.strip()}\n")
            elif answer is None:
                checks.note(f"{PAGE.name}:{line} runs", [f"status {status}: {printed}"] if status else [])
            else:
                checks.note(f"{PAGE.name}:{line} prints what the page shows", [] if same(answer, printed) else [f"it prints:\n{printed.strip()}"])
        shell.stdin.close()
        shell.wait(timeout=20)
sys.exit(checks.end())
