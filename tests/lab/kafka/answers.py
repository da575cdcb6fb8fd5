"""answers.py PORT: whether a broker on loopback answers a metadata request (version 1) with at least one broker."""

import socket
import struct
import sys

try:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2) as connection:
        connection.settimeout(3)
        request = struct.pack(">hhih3si", 3, 1, 7, 3, b"lab", 0)
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = connection.makefile("rb")
        (length,) = struct.unpack(">i", answer.read(4))
        correlation, brokers = struct.unpack(">ii", answer.read(length)[:8])
        sys.exit(0 if correlation == 7 and brokers >= 1 else 1)
except (OSError, struct.error):
    sys.exit(1)
