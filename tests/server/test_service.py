"""How a stream is refused; the rest of the service is tested through real streams in tests/integration."""

import asyncio
from typing import cast

import grpc
import pytest

from adsum.contract.reasons import Reason
from adsum.server.service import Context, refuse
from adsum.server.session import Fault


class LeavingContext:
    """A context whose client goes while the status is being sent."""

    async def abort(self, *_: object) -> None:
        """Fail as gRPC does then."""
        raise grpc.aio.InternalError("failed grpc_call_start_batch")


async def test_a_client_that_goes_while_it_is_refused_is_no_failure_of_the_server() -> None:
    # gRPC logs whatever a handler raises, with a traceback, but for this.
    with pytest.raises(asyncio.CancelledError):
        await refuse(cast("Context", LeavingContext()), Fault(Reason.SLOW_READER, ""))
