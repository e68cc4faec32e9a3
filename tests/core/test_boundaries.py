"""Frames of WebSockets and events of streams: where they end is found, however their bytes are cut into pieces."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.boundaries import MOST_FRAMES, Events, Frames, going_away

MASK = b"\x5a\x11\xc3\x07"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
SIZES = [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 70_000]  # each kind of length, and next to where it changes


def frame(size: int = 5, opcode: int = TEXT, *, is_masked: bool = False, is_final: bool = True, bits: int = 0) -> bytes:
    """A frame as RFC 6455 §5.2 draws it; its payload looks like frames itself, and is not really masked."""
    mask_bit, mask = (0x80, MASK) if is_masked else (0, b"")
    first = bytes([is_final << 7 | bits | opcode])
    if size <= 125:
        length = bytes([mask_bit | size])
    elif size < 1 << 16:
        length = bytes([mask_bit | 126]) + size.to_bytes(2)
    else:
        length = bytes([mask_bit | 127]) + size.to_bytes(8)
    return first + length + mask + (b"\x88\x02\x81\x85" * (size // 4 + 1))[:size]


def conversation(*, is_masked: bool) -> list[bytes]:
    """A message in fragments, with control frames between them, and whole ones of each kind of length."""
    kinds = [
        (3, TEXT, False),
        (0, PING, True),
        (200, CONTINUATION, False),
        (125, PONG, True),
        (0, CONTINUATION, True),
        (66_000, BINARY, True),
        (0, TEXT, True),
        (126, BINARY, True),
    ]
    return [frame(size, opcode, is_final=is_final, is_masked=is_masked) for size, opcode, is_final in kinds]


def is_between(frames: Frames) -> bool:
    return frames.feed_one(b"") == 0


both_directions = pytest.mark.parametrize("is_masked", [False, True], ids=["from the backend", "from the user"])


# --- frames ---
@both_directions
def test_frames_cut_anywhere_end_where_they_end(is_masked: bool):
    """Two pieces, cut at every byte: nothing is under way where a frame ends, and something everywhere else."""
    sent = conversation(is_masked=is_masked)
    data, ends = b"".join(sent), {0, *accumulate(map(len, sent))}
    for cut in range(len(data) + 1):
        frames = Frames(are_masked=is_masked)
        frames.feed(data[:cut])
        assert (cut in ends) == is_between(frames), cut
        assert min(end for end in ends if end >= cut) - cut == frames.feed_one(data[cut:]), cut


@both_directions
def test_frames_that_come_byte_by_byte_end_where_they_end(is_masked: bool):
    """The head of a frame is put together from as many pieces as it has bytes."""
    sent = conversation(is_masked=is_masked)
    frames, ends = Frames(are_masked=is_masked), []
    for at, byte in enumerate(b"".join(sent)):
        frames.feed(bytes([byte]))
        if is_between(frames):
            ends.append(at + 1)
    assert list(accumulate(map(len, sent))) == ends


@both_directions
@pytest.mark.parametrize("size", SIZES)
def test_frames_of_all_lengths_are_followed_to_their_end(size: int, is_masked: bool):
    """Lengths of 7, 16 and 64 bits; the first frame's end is told, also where more frames follow."""
    data = frame(size, BINARY, is_masked=is_masked)
    for cut in (1, 2, 3, 4, 9, 13, len(data) - 1):
        frames = Frames(are_masked=is_masked)
        frames.feed(data[:cut])
        rest = max(0, len(data) - cut)
        assert rest == frames.feed_one(data[cut:] + data * 2), cut


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from([TEXT, BINARY, CONTINUATION, PING, PONG])), max_size=12),
    st.lists(st.integers(0, 3000), max_size=12),
    st.booleans(),
)
def test_frames_are_followed_however_they_come(kinds: list[tuple[int, int]], cuts: list[int], is_masked: bool):
    """Whatever the frames and wherever the packets are cut: at each cut it is known how much of a frame is to come."""
    sent = [frame(min(size, 125) if opcode >= 8 else size, opcode, is_masked=is_masked) for size, opcode in kinds]
    data, ends = b"".join(sent), [0, *accumulate(map(len, sent))]
    places = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    frames = Frames(are_masked=is_masked)
    for begin, end in pairwise(places):
        frames.feed(data[begin:end])
        assert (end in ends) == is_between(frames)
    assert (False, True) == (frames.is_lost, is_between(frames))


def test_frames_of_extensions_are_frames():
    """The reserved bits say what extensions agreed on (RFC 7692 §6): such frames end as others do."""
    frames = Frames(are_masked=False)
    frames.feed(frame(40, bits=0x40) + frame(400, BINARY, bits=0x70))
    assert (False, True) == (frames.is_lost, is_between(frames))


@both_directions
def test_close_frame_is_noticed_and_nothing_after_it_is_read(is_masked: bool):
    """It counts once it is whole, wherever it is cut; what its sender adds is no frame (RFC 6455 §5.5.1)."""
    data = frame(300, is_masked=is_masked) + frame(20, CLOSE, is_masked=is_masked)
    for cut in range(len(data)):
        frames = Frames(are_masked=is_masked)
        frames.feed(data[:cut])
        assert not frames.is_closed, cut
        frames.feed(data[cut:] + b"\xff" * 40)
        frames.feed(b"\xff" * 40)
        assert (True, True, False) == (frames.has_close, frames.is_closed, frames.is_lost), cut


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        frame(opcode=3),
        frame(opcode=11),
        frame(opcode=PING, is_final=False),
        frame(opcode=CLOSE, is_final=False),
        frame(126, PONG),
        frame(126, CLOSE),
        frame(is_masked=True),
        frame(300, is_masked=True),
    ],
    ids=["http", "3", "11", "ping-in-parts", "close-in-parts", "long-pong", "long-close", "masked", "masked-and-long"],
)
def test_bytes_that_are_no_frames_of_a_backend_are_given_up(data: bytes):
    """From the first wrong head on nobody knows where a frame ends, and nobody guesses; cut amid the head as well."""
    for cut in (0, 1):
        frames = Frames(are_masked=False)
        frames.feed(frame() + data[:cut])
        frames.feed(data[cut:])
        frames.feed(frame())
        assert (True, None, False) == (frames.is_lost, frames.feed_one(frame()), frames.is_closed)


@pytest.mark.parametrize("size", [5, 300])
def test_unmasked_bytes_are_no_frames_of_a_user(size: int):
    """A client that doesn't mask is not followed (RFC 6455 §5.1)."""
    frames = Frames(are_masked=True)
    frames.feed(frame(size))
    assert frames.is_lost


@pytest.mark.parametrize("rest", [0, 1, 2, 12])
def test_flood_of_tiny_frames_is_given_up(rest: int):
    """As many as are followed in one piece are; who sends more at once costs no more time."""
    flood = frame(0, is_masked=True) * MOST_FRAMES
    frames = Frames(are_masked=True)
    frames.feed(flood + (frame(0, is_masked=True) * 2)[:rest])
    assert (rest > 1, None if rest else 0) == (frames.is_lost, frames.feed_one(b""))
    again = Frames(are_masked=True)
    again.feed(flood)
    again.feed(flood)
    assert (False, True) == (again.is_lost, is_between(again))


def test_going_away_is_a_close_frame_of_either_side():
    """1001, as a server writes it and as a client does: masked, which undone is the same."""
    assert bytes.fromhex("880203e9") == going_away()
    masked = going_away(MASK)
    assert b"\x88\x82" + MASK == masked[:6]
    assert b"\x03\xe9" == bytes(byte ^ key for byte, key in zip(masked[6:], MASK, strict=False))
    for data, is_masked in ((going_away(), False), (masked, True)):
        frames = Frames(are_masked=is_masked)
        frames.feed(data)
        assert frames.is_closed


# --- events ---
EVENT_ENDS = ["\n\n", "\r\r", "\r\n\r\n"]


@pytest.mark.parametrize("end", EVENT_ENDS, ids=["LF", "CR", "CRLF"])
def test_events_cut_anywhere_end_after_their_empty_line(end: str):
    """Two pieces, cut at every byte, of events and a comment: only after an empty line is none under way."""
    line = end[: len(end) // 2]
    sent = [f"id: 7{line}data: one{line}data{end}", f": still here{end}", f"event: x{line}data: größer{end}"]
    pieces = [each.encode() for each in sent]
    data, ends = b"".join(pieces), [0, *accumulate(map(len, pieces))]
    for cut in range(len(data) + 1):
        events = Events()
        events.feed(data[:cut])
        assert (0 if cut in ends else None) == events.last_end(b""), cut
        assert len(data) - cut == events.last_end(data[cut:]), cut
        assert len(data) - cut == events.last_end(data[cut:] + b"data: half of one"), cut


@pytest.mark.parametrize("end", EVENT_ENDS, ids=["LF", "CR", "CRLF"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_events_that_come_in_tiny_pieces_end_after_their_empty_line(size: int, end: str):
    """What came last is known from as many pieces as it takes."""
    events, found = Events(), []
    event = f"data: {'x' * (12 - len('data: ' + end))}{end}".encode()
    data = event * 2
    for at in range(0, len(data), size):
        events.feed(data[at : at + size])
        if events.last_end(b"") == 0:
            found.append(at + size)
    assert [12, 24] == found


@pytest.mark.parametrize(
    ("before", "data", "end"),
    [
        (b"", b"", 0),
        (b"", b"data: 1", 0),
        (b"data: 1", b"", None),
        (b"data: 1\n", b"", None),
        (b"data: 1\n", b"\ndata: 2", 1),
        (b"data: 1\r\n\r", b"", None),
        (b"data: 1\r\n\r", b"\ndata", 1),
        (b"data: 1\n\r", b"\ndata", 1),
        (b"data: 1\n\n", b"\n\n\n", 3),
        (b"data: 1\r\r\r", b"", 0),
        (b"data: 1\r\n\n", b"", 0),
        (b"data: 1\r\n", b"data: 2\r\n", None),
        (b"data: \\n\\n", b"x", None),
    ],
)
def test_events_end_with_an_empty_line(before: bytes, data: bytes, end: int | None):
    """Mixed line ends, more empty lines than one, and a carriage return that may be half of an end."""
    events = Events()
    events.feed(before)
    assert end == events.last_end(data)
