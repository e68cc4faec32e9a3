"""Pages that keep what was measured: what is measured anew replaces its own, and nothing else."""

from bench.page import merge_sections, split_sections

PAGE = """# Measured

## core: one

old core

## tls: two

old tls
"""


def test_sections_are_found_by_their_name() -> None:
    """With their headings; a page without any has none."""
    assert {"core": "## core: one\n\nold core\n\n", "tls": "## tls: two\n\nold tls\n"} == split_sections(PAGE)
    assert {} == split_sections("# Measured\n\nby hand\n")


def test_merge_replaces_its_own_sections_and_keeps_the_others_in_order() -> None:
    """One that is no longer measured goes."""
    merged = merge_sections(PAGE, "# New", {"post": "## post: three\n\nnew"}, ["post", "tls"])
    assert "# New\n\n## post: three\n\nnew\n\n## tls: two\n\nold tls\n" == merged
