"""ModelService: what is served."""

from kindred.v1 import model_service_pb2 as models_pb
from kindred.v1 import model_service_pb2_grpc as models_grpc
from service.engine import Engine
from service.rpc import answered
from service.rpc.context import Context
from service.rpc.pages import page_of


class Models(models_grpc.ModelServiceServicer):
    """ModelService."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def ListModels(
        self, request: models_pb.ListModelsRequest, context: Context
    ) -> models_pb.ListModelsResponse:
        """Lists the served models."""
        page, token = page_of(self._engine.models(), lambda model: model.name, request)
        return models_pb.ListModelsResponse(
            models=[answered.model(info) for info in page], next_page_token=token
        )

    async def GetModel(
        self, request: models_pb.GetModelRequest, context: Context
    ) -> models_pb.GetModelResponse:
        """Gets one model."""
        info = self._engine.model(request.name)
        return models_pb.GetModelResponse(model=answered.model(info))
