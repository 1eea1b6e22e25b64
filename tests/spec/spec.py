# SPDX-License-Identifier: GPL-2.0
"""
Documentation/netlink/specs/kraw.yaml as Python data: constants as the uapi
header has them, and what an attribute's definition says about its policy.

Reads only what this specification uses of the kernel's schema, by the rules of
the kernel's own generator (ynl-gen-c): names are prefix and name, upper case
with underscores; numbers count on from the one before.
"""

import pathlib

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATH = ROOT / "Documentation" / "netlink" / "specs" / "kraw.yaml"
HEADER = ROOT / "kmod" / "uapi" / "linux" / "kraw.h"

# enum netlink_attribute_type: what the kernel calls the types of a policy
POLICY_TYPE = {"flag": 1, "u8": 2, "u16": 3, "u32": 4, "u64": 5, "binary": 10,
               "string": 12, "nest": 13}
BITS = {"u8": 8, "u16": 16, "u32": 32, "u64": 64}

# in C if it is there: a tenth of the time
QUICK = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def c_name(*parts):
    return "".join(parts).upper().replace("-", "_")


class Spec:
    def __init__(self, path=PATH):
        with open(path, encoding="utf-8") as stream:
            self.yaml = yaml.load(stream, QUICK)
        self.family = self.yaml["name"]
        self.definitions = {d["name"]: d for d in self.yaml["definitions"]}
        self.sets = {s["name"]: self._attributes(s)
                     for s in self.yaml["attribute-sets"]}
        listed = self._number(self.yaml["operations"]["list"], 1)
        self.ops = {n: op for n, op in listed.items() if "notify" not in op}
        self.notifications = {n: op for n, op in listed.items()
                              if "notify" in op}

    @staticmethod
    def _number(elements, value):
        """Name to element, each with its number as "value"."""
        numbered = {}
        for element in elements:
            if isinstance(element, str):
                element = {"name": element}
            value = element.get("value", value)
            numbered[element["name"]] = {**element, "value": value}
            value += 1
        return numbered

    def _attributes(self, attribute_set):
        return self._number(attribute_set["attributes"], 1)

    def entries(self, name):
        """Name to number of an enum's entries, or to mask of a flags'."""
        definition = self.definitions[name]
        numbered = self._number(definition["entries"],
                                definition.get("value-start", 0))
        if definition["type"] == "flags":
            return {n: 1 << e["value"] for n, e in numbered.items()}
        return {n: e["value"] for n, e in numbered.items()}

    def constants(self):
        """
        C name to (value, enum tag or None) of all that this defines, but for
        the notifications: they share the numbers of commands.
        """
        top = self.yaml
        found = {c_name(top["c-family-name"]): (top["name"], None),
                 c_name(top["c-version-name"]): (top["version"], None)}
        for group in top["mcast-groups"]["list"]:
            found[c_name(group["c-define-name"])] = (group["name"], None)
        for name, definition in self.definitions.items():
            prefix = definition.get("name-prefix")
            if definition["type"] == "const":
                found[c_name(prefix or f"{self.family}-", name)] = (
                    definition["value"], None)
                continue
            tag = c_name(definition.get("enum-name") or "").lower() or None
            for entry, value in self.entries(name).items():
                found[c_name(prefix or f"{self.family}-{name}-", entry)] = (
                    value, tag)
        for attribute_set in top["attribute-sets"]:
            tag = c_name(attribute_set["enum-name"]).lower()
            for name, attr in self.sets[attribute_set["name"]].items():
                found[c_name(attribute_set["name-prefix"], name)] = (
                    attr["value"], tag)
        operations = top["operations"]
        tag = c_name(operations["enum-name"]).lower()
        for name, op in self.ops.items():
            found[c_name(operations["name-prefix"], name)] = (op["value"], tag)
        return found

    def length(self, value):
        """A length or limit: a number, or the name of a constant."""
        if isinstance(value, str):
            return self.definitions[value]["value"]
        return value

    def policy(self, attr):
        """
        What the kernel should say about an attribute: a dictionary with type,
        and min, max, mask, min-length and max-length as they apply.
        """
        checks = attr.get("checks", {})
        policy = {"type": POLICY_TYPE[attr["type"]]}
        if attr["type"] in BITS:
            enum = self.definitions.get(attr.get("enum"))
            if enum and enum["type"] == "flags" and "max" not in checks:
                policy["mask"] = sum(self.entries(enum["name"]).values())
                return policy
            low, high = 0, (1 << BITS[attr["type"]]) - 1
            if enum and enum["type"] == "enum":
                values = self.entries(enum["name"]).values()
                low, high = min(values), max(values)
            policy["min"] = self.length(checks.get("min", low))
            policy["max"] = self.length(checks.get("max", high))
        else:
            for name in ("min-len", "max-len"):
                if name in checks:
                    policy[name + "gth"] = self.length(checks[name])
        return policy
