import torch

from visprior.metric.agreement import verdict


def test_known_logits():
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.0, 0.0, 3.0, 1.0]])
    said = verdict(logits, 2)
    assert said.predicted.tolist() == [0, 2]
    assert said.likeliest.tolist() == [[0, 1], [2, 3]]
    expected = torch.tensor(3.0).exp() / torch.tensor([0.0, 0.0, 3.0, 1.0]).exp().sum()
    assert torch.isclose(said.probability[1], expected.double())
    assert said.top1(torch.tensor([1, 2])).tolist() == [False, True]
    assert said.topk(torch.tensor([1, 0])).tolist() == [True, False]
