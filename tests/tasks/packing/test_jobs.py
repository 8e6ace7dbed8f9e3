from bloodcell.data.dataset import read_info
from bloodcell.shapes import ModelShape
from tasks.packing.jobs import Job
from tasks.plan import PlannedRun
from tasks.training_images import training_images


def test_a_job_is_what_is_left_to_train(store, coloured, small, spec):
    info, config = read_info(store, "coloured"), small.model_copy(update={"epochs": 10})
    run = PlannedRun("a", None, spec.model_copy(update={"config": config}), done=False)
    assert Job.of(run, info).images == 10 * training_images(config, info)
    assert Job.of(run, info, over=7).images == 3 * training_images(config, info)


def test_a_shape_is_that_of_the_backbone_and_says_so(small):
    shape = ModelShape.of(small.model_copy(update={"hidden_layers": 3, "dropout": 0.5, "learning_rate": 0.1}))
    assert shape == ModelShape.of(small) == ModelShape.of(shape.config)
    assert str(shape) == "MobileNet(0.25) at 32 px, batch 16"
    frozen = small.model_copy(update={"precision": "mixed_bfloat16", "trainable": 3, "image_size": None})
    assert str(ModelShape.of(frozen)) == "MobileNet(0.25) at 224 px, batch 16, mixed_bfloat16, last 3 layers"
    assert ModelShape.of(frozen) != shape
