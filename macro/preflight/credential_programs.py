"""The programs that a profile names for its credentials (`credential_process`): none outlives us.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
"""

from __future__ import annotations

from contextlib import suppress
from subprocess import Popen, TimeoutExpired
from typing import Any


class CredentialPrograms:
    """What was started to find credentials, and can be ended where nobody waits for it any more."""

    def __init__(self) -> None:
        self._started: list[Popen[bytes]] = []

    def end(self) -> None:
        """Ends those that still run: after a signal or a deadline nobody reads what they say."""
        for program in self._started:
            if program.poll() is None:
                program.kill()
                with suppress(TimeoutExpired):
                    program.wait(1)

    def watch(self, session: Any) -> None:
        """Lets a session of botocore start its program here."""
        from botocore.credentials import ProcessProvider

        providers = session.get_component("credential_provider").providers
        for index, provider in enumerate(providers):
            if provider.METHOD == ProcessProvider.METHOD:
                profile = session.get_config_variable("profile") or "default"
                providers[index] = ProcessProvider(
                    profile, lambda: session.full_config, popen=self._start
                )

    def _start(self, *arguments: Any, **options: Any) -> Popen[bytes]:
        program: Popen[bytes] = Popen(*arguments, **options)
        self._started.append(program)
        return program
