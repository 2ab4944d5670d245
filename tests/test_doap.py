"""What we say that we speak: README and doap.xml say the same."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

CHECKOUT = Path(__file__).parents[1]
DOAP = "{http://usefulinc.com/ns/doap#}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
XMPP = "{https://linkmauve.fr/ns/xmpp-doap#}"


def root() -> ET.Element:
    tree = ET.fromstring((CHECKOUT / "doap.xml").read_text())  # noqa: S314 - our own
    project = tree.find(f"{DOAP}Project")
    assert project is not None
    return project


def numbers(resources: list[str], pattern: str) -> set[int]:
    found = [re.fullmatch(pattern, resource) for resource in resources]
    assert all(found), resources
    return {int(match[1]) for match in found if match}


def spoken() -> str:
    readme = (CHECKOUT / "README.md").read_text()
    return readme.partition("## What it speaks")[2].partition("\n## ")[0]


def test_doap_lists_the_rfcs_of_the_readme() -> None:
    listed = numbers(
        [
            each.get(f"{RDF}resource", "")
            for each in root().findall(f"{DOAP}implements")
            if "rfc-editor" in each.get(f"{RDF}resource", "")
        ],
        r"https://www\.rfc-editor\.org/info/rfc(\d+)",
    )

    # A list in the text names the word once: "RFC 6120, 6121, 7590".
    told = {
        int(number)
        for run in re.findall(r"RFC (\d{4}(?:,\s+\d{4})*)", spoken())
        for number in re.findall(r"\d{4}", run)
    }
    assert listed == told


def test_doap_lists_the_xeps_of_the_readme() -> None:
    listed = numbers(
        [each.get(f"{RDF}resource", "") for each in root().iter(f"{XMPP}xep")],
        r"https://xmpp\.org/extensions/xep-(\d{4})\.html",
    )

    assert listed == {int(number) for number in re.findall(r"XEP-(\d{4})", spoken())}


def test_doap_says_of_each_xep_how_far_it_goes() -> None:
    for support in root().iter(f"{XMPP}SupportedXep"):
        status = support.find(f"{XMPP}status")
        note = support.find(f"{XMPP}note")
        assert status is not None
        assert status.text in {"complete", "partial"}
        assert status.text == "complete" or (note is not None and note.text)
