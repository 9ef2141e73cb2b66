# SPDX-License-Identifier: LGPL-2.1-or-later
"""Raw video between processes, as NumPy arrays in shared memory.

    for frame in shmframe.Reader("/tmp/camera"):            # from one process
        print(frame.array.shape)

    with shmframe.Writer("/tmp/camera", 640, 480, 25) as writer:   # to others
        writer.write(picture)

    for batch in shmframe.batches("/tmp/a", "/tmp/b"):      # second N of both
        print(batch.index, batch[0].array.shape)

It says what happens in the log `shmframe`: what it waits for as INFO, and after three
seconds, like what goes wrong, as WARNING.
"""

from shmframe.batch import Batch, Stream
from shmframe.batches import Batches, batches
from shmframe.errors import Error, Timeout
from shmframe.frame import Frame
from shmframe.reader import Reader
from shmframe.writer import Writer

__all__ = ["Batch", "Batches", "Error", "Frame", "Reader", "Stream", "Timeout",
           "Writer", "batches"]
