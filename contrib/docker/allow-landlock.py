#!/usr/bin/env python3
"""Derives a seccomp profile that allows Landlock from a given one for Docker or Podman.

usage: allow-landlock.py PROFILE [-o FILE]

Older profiles know nothing of the three Landlock calls and refuse them, so that
`tino --landlock` inside the container finds no Landlock. The calls can only take rights away
from their caller.
"""

import argparse
import json
import os
import sys
import tempfile

CALLS = ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"]


def allow(profile):
    """Returns the profile with a rule for those calls that it does not allow already."""
    if not isinstance(profile, dict) or not isinstance(profile.get("syscalls"), list):
        raise ValueError("not a seccomp profile: it has no list `syscalls`")
    allowed = set()
    for rule in profile["syscalls"]:
        if not isinstance(rule, dict):
            raise ValueError("not a seccomp profile: a rule is no object")
        conditional = rule.get("args") or rule.get("includes") or rule.get("excludes")
        if rule.get("action") == "SCMP_ACT_ALLOW" and not conditional:
            allowed.update(rule.get("names") or [rule.get("name")])
    missing = [call for call in CALLS if call not in allowed]
    if missing:
        rule = {"names": missing, "action": "SCMP_ACT_ALLOW", "comment": "Landlock"}
        profile = {**profile, "syscalls": [*profile["syscalls"], rule]}
    return profile


def write(text, path):
    """Writes all of the file or nothing."""
    folder = os.path.dirname(os.path.abspath(path))
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
            os.rename(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("profile", help="the profile to begin with, as JSON")
    parser.add_argument("-o", "--output", help="where to write (standard output)")
    options = parser.parse_args()
    try:
        with open(options.profile, encoding="utf-8") as file:
            profile = allow(json.load(file))
        text = json.dumps(profile, indent=2) + "\n"
        if options.output:
            write(text, options.output)
        else:
            sys.stdout.write(text)
    except (OSError, ValueError) as error:
        sys.exit(f"allow-landlock: {options.profile}: {error}")


if __name__ == "__main__":
    main()
