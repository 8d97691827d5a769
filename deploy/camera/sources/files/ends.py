"""Whether a video's file ends before the video does, as after a full disk or a broken copy.

Looks at what containers say of their own length; frames are not decoded, and no decoder tells of what is not there.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

#: First boxes of MP4 and MOV.
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
#: Sizes of an MPEG transport stream's packets: with the time stamp of a recorder, plain, with error correction.
_TS_PACKETS = ((188, 0), (192, 4), (204, 0))
_TS_SYNC = 0x47
_VIDEO_STARTS = frozenset(b"\x00\x00\x01" + bytes([number]) for number in range(0xE0, 0xF0))
#: Of a transport stream's end, so many packets are looked at.
_TS_TAIL = 4096
#: The elements of Matroska and WebM that hold all others.
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_FLV_TAGS = (8, 9, 18)  # audio, video, data
_FLV_SIZE = b"\x00\x08filesize\x00"  # then a number of 8 bytes
#: So many bytes at the end of other kinds are looked at: the largest packet and the largest page of Ogg fit in.
_TAIL = 1 << 18
_PACK, _PROGRAM_END = 0xBA, 0xB9
#: What images that move, and JPEGs one after the other, begin with -> what they end with.
_ENDS = {b"GIF8": b";", b"\x89PNG": b"IEND\xaeB`\x82", b"\xff\xd8": b"\xff\xd9"}


def is_cut_off(path: Path) -> bool:
    """Whether a video is incomplete, where its container tells: see the functions below; other kinds never say."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4096)
        if head[4:8] in _BOXES:
            return _cut_off_boxes(file, size)
        if head[:4] == b"RIFF":
            return 8 + int.from_bytes(head[4:8], "little") > size
        if head[:4] == _EBML:
            return _cut_off_matroska(head, size)
        if head[:16] == _ASF_HEADER:
            at = head.find(_ASF_FILE)  # then: its size, an id, and the file's size
            return at >= 0 and int.from_bytes(head[at + 40 : at + 48], "little") > size
        if head[:3] == b"FLV":
            return _cut_off_flv(file, head, size)
        file.seek(max(0, size - _TAIL))
        tail = file.read()
        if head[:4] == b"\x00\x00\x01\xba":
            return _cut_off_program_stream(tail)
        if head[:4] == b"OggS":
            return _cut_off_ogg(tail)
        for start, end in _ENDS.items():
            if head.startswith(start):
                return not tail.rstrip(b"\x00\r\n").endswith(end)
        for packet, sync in _TS_PACKETS:
            if size > 3 * packet and all(head[sync + packet * i] == _TS_SYNC for i in range(3)):
                return _cut_off_transport_stream(file, size, packet, sync)
    return False


def exact_duration_s(path: Path) -> float | None:
    """How long an MP4 or MOV plays, which holds the number of its frames; None of others, which do not know theirs."""
    with path.open("rb") as file:
        for kind, at, _ in _boxes(file, path.stat().st_size):
            if kind == b"moov":
                file.seek(at)
                _, _, header = file.read(4096).partition(b"mvhd")
                wide = header[:1] == b"\x01"  # version 1 has times of 8 bytes
                scale = int.from_bytes(header[20:24] if wide else header[12:16], "big")
                length = int.from_bytes(header[24:32] if wide else header[16:20], "big")
                return length / scale if scale else None
    return None


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the boxes of MP4 and MOV; what is no box ends them."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:  # up to the end of the file, wherever that is
            length = size - at
        if length < 8:
            return
        yield head[4:8], at, at + length
        at += length


def _cut_off_boxes(file: BinaryIO, size: int) -> bool:
    """Each box says its length, and one of them is the index."""
    boxes = list(_boxes(file, size))
    return boxes[-1][2] > size or all(kind != b"moov" for kind, _, _ in boxes) if boxes else True


def _cut_off_matroska(head: bytes, size: int) -> bool:
    """The segment says its length, unless it was streamed."""
    at = head.find(_SEGMENT)
    if at < 0 or at + 12 > len(head):
        return False
    start = at + len(_SEGMENT)
    width = 9 - head[start].bit_length()
    length = int.from_bytes(head[start : start + width], "big") & ((1 << 7 * width) - 1)
    return length != (1 << 7 * width) - 1 and start + width + length > size


def _cut_off_flv(file: BinaryIO, head: bytes, size: int) -> bool:
    """The size of the last tag stands behind it, and recorders write that of the file at the beginning."""
    at = head.find(_FLV_SIZE)
    if at >= 0 and struct.unpack_from(">d", head, at + len(_FLV_SIZE))[0] > size:
        return True
    file.seek(size - 4)
    length = int.from_bytes(file.read(4), "big")
    if not 11 <= length <= size - 4:
        return True
    file.seek(size - 4 - length)
    tag = file.read(4)
    return tag[0] not in _FLV_TAGS or int.from_bytes(tag[1:], "big") != length - 11


def _cut_off_program_stream(tail: bytes) -> bool:
    """Each packet of an MPEG program stream says its length; only the header of a pack does not."""
    at = tail.find(bytes([0, 0, 1, _PACK]))
    while at >= 0 and tail[at : at + 3] == b"\x00\x00\x01":
        packet = tail[at : at + 14]
        if len(packet) < 6:
            return packet[3:] != bytes([_PROGRAM_END])
        if packet[3] == _PROGRAM_END:
            return False
        if packet[3] != _PACK:
            at += 6 + int.from_bytes(packet[4:6], "big")
        else:  # of MPEG-1, or of MPEG-2 with stuffing
            at += 12 if packet[4] >> 6 == 0 else 14 + (packet[-1] & 7)
    return at > len(tail)


def _cut_off_ogg(tail: bytes) -> bool:
    """A page lists the sizes of its segments."""
    page = tail[tail.rfind(b"OggS") :]
    return len(page) < 27 or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])


def _cut_off_transport_stream(file: BinaryIO, size: int, packet: int, sync: int) -> bool:
    """The last frame of a whole stream leaves a rest of its last packet, which is stuffed; a cut goes through packets.

    A frame that fills its last packet to the byte, one of 184, looks as if more should follow.
    """
    if size % packet:
        return True
    count = min(_TS_TAIL, size // packet)
    file.seek(size - count * packet)
    data = file.read()
    packets = [data[i + sync : i + sync + 188] for i in range(0, len(data), packet)]
    if any(one[0] != _TS_SYNC for one in packets):
        return False
    videos = {_stream(one) for one in packets if one[1] & 0x40 and _payload(one)[:4] in _VIDEO_STARTS}
    ends = [one for one in packets if _stream(one) in videos]
    return bool(ends) and not _is_stuffed(ends[-1])


def _stream(packet: bytes) -> int:
    return int.from_bytes(packet[1:3], "big") & 0x1FFF


def _payload(packet: bytes) -> bytes:
    return packet[5 + packet[4] :] if packet[3] & 0x20 else packet[4:]


def _is_stuffed(packet: bytes) -> bool:
    """Whether its adaptation field is longer than what is in it: clocks and a splice; private data may be anything."""
    if not packet[3] & 0x20:
        return False
    length, flags = packet[4], packet[5]
    needed = 1 + 6 * bool(flags & 0x10) + 6 * bool(flags & 0x08) + bool(flags & 0x04)
    return length <= 1 or length > needed or bool(flags & 0x03)
