"""The library's own persistence cases, unmodified, against our recorders."""

from typing import Any
from unittest import TestCase
from uuid import uuid4

import pytest
from eventsourcing.persistence import (
    InfrastructureFactory,
    InfrastructureFactoryError,
    Transcoder,
    Transcoding,
    UUIDAsHex,
)
from eventsourcing.tests import persistence as library
from eventsourcing.utils import Environment

from infra.event_log.factory import JetStreamFactory
from infra.event_log.recorder import JetStreamAggregateRecorder, JetStreamApplicationRecorder
from infra.event_log.transcoder import OrjsonTranscoder
from tests.integration.conftest import Servers


class _OnJetStream(TestCase):
    @pytest.fixture(autouse=True)
    def _log_of_its_own(self, servers: Servers) -> None:
        name = uuid4().hex[:8]
        self.env = Environment(
            env={
                "PERSISTENCE_MODULE": "infra.event_log.factory",
                "NATS_URL": servers.nats["admin"],
                "NATS_STREAM": f"LOG_{name}",
                "NATS_PREFIX": f"log_{name}",
            }
        )

    def factory_under_test(self) -> JetStreamFactory:
        factory = JetStreamFactory(self.env)
        self.addCleanup(factory.close)
        return factory


class TestAggregateRecorder(_OnJetStream, library.AggregateRecorderTestCase):
    def create_recorder(self) -> Any:
        return self.factory_under_test().aggregate_recorder()


class TestApplicationRecorder(_OnJetStream, library.ApplicationRecorderTestCase[Any]):
    def create_recorder(self) -> Any:
        return self.factory_under_test().application_recorder()

    def test_subscription(self) -> None:
        self.optional_test_insert_subscribe()


class TestNonInterleaving(_OnJetStream, library.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> Any:
        return self.factory_under_test().application_recorder()


class TestFactory(_OnJetStream, library.InfrastructureFactoryTestCase[JetStreamFactory]):
    def expected_factory_class(self) -> Any:
        return JetStreamFactory

    def expected_aggregate_recorder_class(self) -> Any:
        return JetStreamAggregateRecorder

    def expected_application_recorder_class(self) -> Any:
        return JetStreamApplicationRecorder

    def expected_tracking_recorder_class(self) -> Any:
        raise AssertionError("see the tests that refuse it")

    def tracking_recorder_subclass(self) -> Any:
        raise AssertionError("see the tests that refuse it")

    def expected_process_recorder_class(self) -> Any:
        raise AssertionError("see the tests that refuse it")

    def test_create_tracking_recorder(self) -> None:
        """Tracking is kept in the transaction of the tables it describes, never here."""
        with self.assertRaises(InfrastructureFactoryError):
            self.factory.tracking_recorder()

    def test_create_process_recorder(self) -> None:
        """Its tracking records would take positions in the log."""
        with self.assertRaises(InfrastructureFactoryError):
            self.factory.process_recorder()

    def test_the_environment_must_name_a_broker(self) -> None:
        module = {"PERSISTENCE_MODULE": "infra.event_log.factory"}
        with self.assertRaises(InfrastructureFactoryError):
            InfrastructureFactory.construct(Environment(env=module))


class _TupleAsList(Transcoding):
    type = tuple
    name = "tuple_as_list"

    def encode(self, obj: Any) -> Any:
        return list(obj)

    def decode(self, data: Any) -> Any:
        return tuple(data)


def _plainly(kind: type, base: type, label: str) -> Transcoding:
    class Plain(Transcoding):
        type = kind
        name = label

        def encode(self, obj: Any) -> Any:
            return base(obj)

        def decode(self, data: Any) -> Any:
            return kind(data)

    return Plain()


class TestTranscoder(library.TranscoderTestCase):
    def construct_transcoder(self) -> Transcoder:
        transcoder = OrjsonTranscoder()
        for transcoding in (
            UUIDAsHex(),
            library.CustomType1AsDict(),
            library.CustomType2AsDict(),
            _TupleAsList(),
            _plainly(library.Mydict, dict, "mydict"),
            _plainly(library.MyList, list, "mylist"),
            _plainly(library.MyStr, str, "mystr"),
            _plainly(library.MyInt, int, "myint"),
        ):
            transcoder.register(transcoding)
        return transcoder
