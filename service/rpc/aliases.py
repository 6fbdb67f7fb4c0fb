"""AliasService: names that stand for a collection."""

from kindred.v1 import alias_service_pb2 as aliases_pb
from kindred.v1 import alias_service_pb2_grpc as aliases_grpc
from service.engine import Engine
from service.messages import AliasInfo
from service.rpc import asked
from service.rpc.context import Context
from service.rpc.pages import page_of


class Aliases(aliases_grpc.AliasServiceServicer):
    """AliasService."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def SetAlias(
        self, request: aliases_pb.SetAliasRequest, context: Context
    ) -> aliases_pb.SetAliasResponse:
        """Makes an alias stand for a collection."""
        info = await self._engine.aliases.point(
            request.name, request.collection, expected=asked.optional(request, "expected")
        )
        return aliases_pb.SetAliasResponse(alias=_alias(info))

    async def ListAliases(
        self, request: aliases_pb.ListAliasesRequest, context: Context
    ) -> aliases_pb.ListAliasesResponse:
        """Lists the aliases."""
        infos = await self._engine.aliases.list()
        page, token = page_of(infos, lambda info: info.name, request)
        return aliases_pb.ListAliasesResponse(aliases=map(_alias, page), next_page_token=token)

    async def DeleteAlias(
        self, request: aliases_pb.DeleteAliasRequest, context: Context
    ) -> aliases_pb.DeleteAliasResponse:
        """Deletes an alias."""
        await self._engine.aliases.delete(request.name)
        return aliases_pb.DeleteAliasResponse()


def _alias(info: AliasInfo) -> aliases_pb.Alias:
    return aliases_pb.Alias(name=info.name, collection=info.collection, previous=info.previous)
