"""The fused optimizer against the stock one: the same numbers, and the same file."""

import keras
import numpy as np
import pytest

from bloodcell import adam
from bloodcell.model import build_model, save_model

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.normal(size=(32, 12)).astype("float32"), np.arange(32) % 5


@pytest.fixture(autouse=True)
def _float32():
    """Keras's policy is the process's."""
    yield
    keras.config.set_dtype_policy("float32")


def network(policy: str = "float32", **options) -> keras.Model:
    keras.utils.clear_session()  # so that the variables of two networks have the same names
    keras.config.set_dtype_policy(policy)  # the model's own: by it `compile` decides whether the loss is scaled
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(5)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2, **options), loss)
    return model


def trained(model: keras.Model) -> list[float]:
    losses: list[float] = model.fit(IMAGES, LABELS, batch_size=8, epochs=5, shuffle=False, verbose=0).history["loss"]
    return losses


def inner(model: keras.Model) -> keras.optimizers.Optimizer:
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


# Under mixed_float16 `compile` wraps the optimizer in one that scales the loss.
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(
    "options",
    [{}, {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}, {"clipnorm": 0.1}, {"weight_decay": 0.01}, {"use_ema": True}],
    ids=str,
)
def test_weights_and_moments_are_those_of_the_stock_optimizer(policy, options):
    plain, fused = network(policy, **options), network(policy, **options)
    assert isinstance(fused.optimizer, keras.optimizers.LossScaleOptimizer) == (policy == "mixed_float16")
    adam.fuse(fused.optimizer)
    assert type(inner(fused)) is adam.Adam
    np.testing.assert_allclose(trained(fused), trained(plain), rtol=1e-4)
    for model in (plain, fused):
        assert inner(model).iterations == 20
    pairs = zip(
        [*fused.variables, *fused.optimizer.variables], [*plain.variables, *plain.optimizer.variables], strict=True
    )
    for found, wanted in pairs:
        assert found.path == wanted.path
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "make", [lambda: keras.optimizers.Adam(amsgrad=True), keras.optimizers.AdamW, keras.optimizers.SGD]
)
def test_another_optimizer_stays_as_it_is(make):
    optimizer = make()
    before = type(optimizer)
    adam.fuse(optimizer)
    assert type(optimizer) is before


def test_an_experiment_trains_with_the_fused_one_and_saves_the_stock_one(small, tmp_path):
    model = build_model(small, 3)
    model.optimizer.build(model.trainable_variables)
    save_model(model, tmp_path / "model.keras")
    assert type(model.optimizer) is adam.Adam
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is keras.optimizers.Adam
    assert len(loaded.optimizer.variables) == len(model.optimizer.variables)


def test_the_one_within_an_optimizer_that_scales_the_loss_is_fused_and_for_a_while_stock(small):
    optimizer = build_model(small.model_copy(update={"precision": "mixed_float16"}), 3).optimizer
    assert type(optimizer.inner_optimizer) is adam.Adam
    with adam.stock(optimizer):
        assert type(optimizer.inner_optimizer) is keras.optimizers.Adam
    assert type(optimizer.inner_optimizer) is adam.Adam


def test_a_rate_that_the_optimizer_of_a_compiled_model_is_given_later_is_used():
    plain, fused = network(), network()
    adam.fuse(fused.optimizer)
    trained(plain)
    trained(fused)
    for model in (plain, fused):
        model.optimizer.learning_rate = 1e-3
    np.testing.assert_allclose(trained(fused), trained(plain), rtol=1e-4)
