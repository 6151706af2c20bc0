"""Messages of Flight SQL made by hand, and what a client of the bare protocol sends with them."""

import pyarrow.flight as flight

PREFIX = b"type.googleapis.com/arrow.flight.protocol.sql."


def varint(number):
    encoded = b""
    while True:
        number, low = number >> 7, number & 0x7F
        encoded += bytes([low | (0x80 if number else 0)])
        if not number:
            return encoded


def field(number, value):
    """One field of a protobuf message: bytes with their length, or a number."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(message):
    """The fields of a message: pairs of number and value."""
    found, at = [], 0

    def read():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = read()
        assert key & 7 in (0, 2), "a varint, or bytes with their length"
        value = read()
        if key & 7 == 2:
            value, at = message[at : at + value], at + value
        found.append((key >> 3, value))
    return found


def command(name, message=b""):
    """A message inside google.protobuf.Any."""
    return field(1, PREFIX + name.encode()) + field(2, message)


def descriptor(name, message=b""):
    return flight.FlightDescriptor.for_command(command(name, message))


def statement(sql):
    return descriptor("CommandStatementQuery", field(1, sql.encode()))


def client(url, **options):
    return flight.connect(url, **options)


def action(client, name, body, **options):
    """The answers to an action, as bytes."""
    answers = client.do_action(flight.Action(name, body), **options)
    return [answer.body.to_pybytes() for answer in answers]


def rows(client, descriptor, options=None):
    """Plans and fetches."""
    info = client.get_flight_info(descriptor, options)
    return client.do_get(info.endpoints[0].ticket, options).read_all()
