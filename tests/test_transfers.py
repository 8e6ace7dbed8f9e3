from bloodcell.events import Step, parse
from bloodcell.transfers import TransferSteps

MEGABYTE = 10**6


def test_a_long_transfer_says_now_and_then_how_far_it_is(capsys):
    clock = [0.0]
    steps = TransferSteps(every=10, now=lambda: clock[0])
    for second in range(31):
        clock[0] = second
        steps("model.keras", second * MEGABYTE, 30 * MEGABYTE)
    said = [parse(line) for line in capsys.readouterr().out.splitlines()]
    assert said == [Step(message=f"model.keras: {done} of 30 MB") for done in (10, 20, 30)]


def test_a_short_one_says_nothing_however_often_it_is_made(capsys):
    clock = [0.0]
    steps = TransferSteps(every=10, now=lambda: clock[0])
    for _ in range(10):
        steps("history.csv", 1, 2)
        clock[0] += 3
        steps("history.csv", 2, 2)
    assert capsys.readouterr().out == ""
