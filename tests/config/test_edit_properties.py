"""Whatever a config looks like, a change of one percentage changes that percentage and nothing else."""

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.config import parse, set_percentage
from proxy.config.scalars import percentage_number

HEAD = """# the head
version: 1
backends: {legacy: {url: "http://h:1"}, new: {url: "http://h:2"}}
users: {salt: s, key: ["cookie:id"]}   # salt
routes:
"""
MILLIPERCENT = st.integers(0, 100_000)
COMMENTS = st.sampled_from(["", "  # why", " # percentage: 99", "   # é😀 {a: b}", " #"])
BLANKS = st.sampled_from(["", "\n", "\n    # rollout: {percentage: 7}\n"])
FLOW = (
    "{{percentage: {}}}",
    "{{ percentage:  {} }}",
    '{{"percentage": {}, group: {group}}}',
    "{{group: '{group}', percentage: {}}}",
)
BLOCK = (
    "\n      percentage: {}",
    "\n      # first\n      group: {group}\n      percentage:   {}",
    "\n      'percentage': {}\n      group: {group}",
)
BARE = ("{{}}", "{{group: {group}}}", "\n      group: {group}")


@dataclass(frozen=True)
class Written:
    """One route as it is written; `number` is None where it states no percentage."""

    template: str
    group: str
    number: str | None
    comment: str
    blank: str

    def text(self, name: str) -> str:
        template = self.template if self.number is not None else self.template.replace("percentage", "")
        rollout = template.format(self.number, group=self.group)
        match = f"  {name}:{self.comment}\n    match: {{prefix: /{name}}}\n"
        return f"{match}{self.blank}    rollout: {rollout}{self.comment}\n"


def shown(steps: int) -> str:
    return f"{steps / 1000:.3f}"


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, int]:
    """A text, and how many routes it has; all routes with a group state the same percentage or none."""
    count = draw(st.integers(1, 6))
    percentages = {group: shown(draw(MILLIPERCENT)) for group in "gh"}
    routes = []
    for index in range(count):
        group = draw(st.sampled_from("gh"))
        template = draw(st.sampled_from([*FLOW, *BLOCK, *BARE]))
        is_grouped = "{group}" in template
        number = percentages[group] if is_grouped else shown(draw(MILLIPERCENT))
        written = Written(template, group, number if "percentage" in template else None, draw(COMMENTS), draw(BLANKS))
        routes.append(written.text(f"r{index}"))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    text = (HEAD + "".join(routes)).removesuffix(draw(st.sampled_from(["\n", ""])))
    return text.replace("\n", newline), count


@settings(deadline=None)
@given(texts(), st.data(), MILLIPERCENT)
def test_only_the_percentage_of_the_group_changes(drawn: tuple[str, int], data: st.DataObject, wanted: int) -> None:
    """Read again, the config is the old one but for the group's percentage."""
    text, count = drawn
    name = f"r{data.draw(st.integers(0, count - 1))}"
    before = parse(text, "m.yaml", {}).migration
    group = next(route.group for route in before.routes if route.name == name)

    after = parse(set_percentage(text, name, shown(wanted)), "m.yaml", {}).migration

    expected = [replace(route, millipercent=wanted) if route.group == group else route for route in before.routes]
    assert replace(before, routes=tuple(expected)) == after


@settings(deadline=None)
@given(texts(), st.data(), MILLIPERCENT)
def test_only_lines_with_the_percentage_change(drawn: tuple[str, int], data: st.DataObject, wanted: int) -> None:
    """Each line that differs holds the key or is the one that was added; without their numbers the rest is equal."""
    text, count = drawn
    name = f"r{data.draw(st.integers(0, count - 1))}"
    migration = parse(text, "m.yaml", {}).migration
    group = next(route.group for route in migration.routes if route.name == name)

    old, new = text.split("\n"), set_percentage(text, name, shown(wanted)).split("\n")

    added = len(new) - len(old)
    assert added in {0, 1}
    if added:
        first = next(index for index, line in enumerate(new) if index >= len(old) or line != old[index])
        assert f"percentage: {percentage_number(wanted)}" == new.pop(first).strip()
    changed = [(one, other) for one, other in zip(old, new, strict=True) if one != other]
    members = sum(route.group == group for route in migration.routes)
    assert len(changed) <= members
    assert all("percentage" in other and _comment(one) == _comment(other) for one, other in changed)


def _comment(line: str) -> str:
    return line.partition("#")[2]


@settings(deadline=None)
@given(texts(), st.data(), MILLIPERCENT, MILLIPERCENT)
def test_setting_twice_is_setting_the_last(drawn: tuple[str, int], data: st.DataObject, first: int, last: int) -> None:
    """A change leaves nothing behind that a later one doesn't replace."""
    text, count = drawn
    name = f"r{data.draw(st.integers(0, count - 1))}"

    twice = set_percentage(set_percentage(text, name, shown(first)), name, shown(last))

    assert set_percentage(text, name, shown(last)) == twice
