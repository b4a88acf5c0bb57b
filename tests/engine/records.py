"""The record of an attempt's process, as other times and machines would have written it."""

from dataclasses import replace

from engine.launcher import ProcessRecord


def rewrite_record(folder, boot=None, **changes):
    record = ProcessRecord.read(folder)
    identity = replace(record.identity, boot=boot or record.identity.boot)
    replace(record, identity=identity, **changes).write(folder)
