"""Reads rendered reports with other people's programs, and says what they found.

Arguments: a folder of files, and the schema junit-10.xsd. Prints one JSON object:
for each file what was read from it, or an error.
"""

import csv
import json
import pathlib
import sys

from chaoslib import exit as _  # noqa: F401  the library is whole
from chaoslib.experiment import ensure_experiment_is_valid
from chaoslib.activity import get_all_activities_in_experiment
from junitparser import JUnitXml
from lxml import etree


def read_junit(path, schema):
    schema.assertValid(etree.parse(str(path)))
    xml = JUnitXml.fromfile(str(path))
    kinds = {"Failure": "failed", "Error": "error", "Skipped": "skipped"}
    cases = {}
    for suite in xml:
        for case in suite:
            word = [kinds[type(r).__name__] for r in case.result] or ["passed"]
            cases[f"{suite.name}/{case.name}"] = word[0]
    return {
        "cases": cases,
        "tests": xml.tests,
        "failures": xml.failures,
        "errors": xml.errors,
    }


def read_journal(path):
    with open(path, encoding="utf-8") as file:
        journal = json.load(file)
    experiment = journal["experiment"]
    ensure_experiment_is_valid(experiment)
    return {
        "title": experiment["title"],
        "activities": len(get_all_activities_in_experiment(experiment)),
        "run": [r["activity"]["name"] for r in journal["run"]],
        "status": journal["status"],
        "deviated": journal["deviated"],
    }


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert all(None not in row and None not in row.values() for row in rows), path
    return {"rows": rows}


def main(folder, xsd):
    schema = etree.XMLSchema(etree.parse(xsd))
    found = {}
    for path in sorted(pathlib.Path(folder).iterdir()):
        try:
            if path.name.endswith(".junit.xml"):
                found[path.name] = read_junit(path, schema)
            elif path.name.endswith(".journal.json"):
                found[path.name] = read_journal(path)
            elif path.suffix == ".csv":
                found[path.name] = read_csv(path)
        except Exception as error:  # noqa: BLE001  whatever it is, it is told
            found[path.name] = {"error": f"{type(error).__name__}: {error}"}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
