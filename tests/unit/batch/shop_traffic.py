"""A stack that served a shop: its log of what callers asked and told afterwards, and a Ray for its batches."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from ray_jobs_server import RayJobsServer
from shop_rows import shop_rows

from deployments.batch.job import BatchJob
from deployments.batch.scoring_run import ScoringRun, ThisProcess
from deployments.batch.submission import JOB_VARIABLE
from deployments.contracts import endpoint
from deployments.contracts.errors import RaygateError
from deployments.contracts.request_record import Decision, FeedbackRecord, RequestRecord, Stage
from deployments.prediction_log.writer import PredictionLog
from deployments.rollout import policy
from deployments.rollout.endpoint_store import EndpointStore, WantedEndpoint
from deployments.runtime import columns
from deployments.runtime.predictor import Predictor
from ray_apps import batch_score

FILE = """
apiVersion: raygate.io/v1alpha1
kind: ModelEndpoint
metadata: {name: shop}
spec:
  model: shop
  versions: [{version: 1.0.0, role: stable}]
  traffic: {split: {stable: 100}}
  rollout: {%s}
"""


class BatchRunner(RayJobsServer):
    """Runs a job as soon as it is taken, in this process.

    Args:
        store: Of packages.
    """

    def __init__(self, store):
        super().__init__()
        self.store, self.trouble = store, ""

    def taken(self, job_id):
        job = BatchJob.model_validate_json(self.jobs[job_id]["runtime_env"]["env_vars"][JOB_VARIABLE])
        try:
            if self.trouble:
                raise NotImplementedError(self.trouble)
            ScoringRun(ThisProcess()).run(job, *batch_score.packages_of(job, self.store))
        except (RaygateError, NotImplementedError) as error:
            self.end(job_id, "FAILED", message=f'{{"event": "failed", "message": "{error}"}}')
        else:
            self.end(job_id, "SUCCEEDED")


class ShopTraffic:
    """What a stack's state directory holds after some traffic.

    Args:
        settings: Of the stack.
        package: Of the version that answered.
    """

    def __init__(self, settings, package):
        self.settings, self.package = settings, package
        self.began = datetime.now(UTC) - timedelta(minutes=30)

    def serve(self, plan=""):
        """Apply the endpoint's file with a plan."""
        document = endpoint.parse(FILE % plan, "shop.yaml")
        wanted = WantedEndpoint(document, 1, policy.from_document(document, 1))
        EndpointStore(self.settings.control_database).decide(wanted, "apply", {}, datetime.now(UTC))

    def answer(self, count, right=None):
        """Callers ask; with ``right`` they tell afterwards that this share of the answers was right."""
        schema, metadata = self.package.schema, self.package.metadata
        held = columns.from_table(pa.Table.from_pandas(shop_rows(count, seed=5), preserve_index=False), schema)
        scores = Predictor(self.package).predict(held).scores
        numbers = np.where(held.valid, held.numeric, np.nan)
        log = PredictionLog(self.settings.prediction_log, "gateway-1", None)
        ids = [f"id-{number}" for number in range(count)]
        log.record(
            RequestRecord(
                endpoint="shop",
                model="shop",
                stage=Stage.LIVE,
                decision=Decision("1.0.0", "1.0.0", "random", 1.0, 1),
                caller="test",
                began=self.began.timestamp(),
                latency_seconds=0.01,
                model_seconds=0.001,
                attempts=1,
                path="compiled",
                outcome="OK",
                prediction_ids=ids,
                schema=schema,
                metadata=metadata,
                numbers=numbers.ravel().tolist(),
                texts=[column[row] for row in range(count) for column in held.textual],
                scores=scores,
            )
        )
        if right is not None:
            for number, position in enumerate(metadata.positions_of_labels(scores)):
                answered = metadata.classes[position]
                other = next(label for label in metadata.classes if label != answered)
                self._tell(log, ids[number], answered if number < right * count else other)
        log.close()

    def _tell(self, log, prediction_id, label):
        received = datetime.now(UTC).timestamp()
        log.feedback(FeedbackRecord(prediction_id, label, None, received, f"feedback-{prediction_id}"))
