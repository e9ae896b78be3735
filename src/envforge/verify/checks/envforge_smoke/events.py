"""The private pipe to the parent: one JSON object a line. Libraries may print what they like on stdout."""

import json
import os


class Pipe(object):
    """Writes events; the descriptor is not inherited by grandchildren."""

    def __init__(self, fd):
        self.fd = fd
        os.set_inheritable(fd, False)

    def send(self, event, **fields):
        """Write one event whole."""
        line = json.dumps(dict(fields, event=event), default=str, ensure_ascii=False) + "\n"
        left = line.encode("utf-8", "replace")  # an undecodable file name in a message is no text elsewhere
        while left:
            left = left[os.write(self.fd, left) :]
