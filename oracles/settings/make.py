"""What PyTorch makes of a small network that learns beside a peer, from its own average, and at early exits; and what SciPy
finds that experts of different classes say together.

    cargo test --release -p kd-core --test training   # leaves the starts below target/tmp/settings_start
    V/bin/python make.py FOLDER > ../../crates/kd-core/tests/oracle/settings.json

V is an environment with oracles/requirements.txt. Written from the papers' formulas (Zhang et al. 2018, equations 4 to 6; Tarvainen
and Valpola 2017, section 2; Zhang et al. 2019, section 3) and the deviations that `Guide` names: peers answer a batch before
either steps. Everything is computed in float64 from the float32 starts. Also the answers of committees.
"""

import copy
import importlib.metadata
import json
import pathlib
import platform
import sys

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
GIVEN = json.loads((pathlib.Path(sys.argv[1]) / "start.json").read_text())
STEPS, RATE, T, DECAY, EXIT = GIVEN["steps"], GIVEN["rate"], GIVEN["temperature"], GIVEN["decay"], GIVEN["exit_weight"]
X, Y = torch.tensor(GIVEN["inputs"]), torch.tensor(GIVEN["classes"])


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)

    def forward(self, x):
        raw, norm = self.first(x), self.norm
        if not self.training:
            hidden = norm(raw)
        else:
            hidden = F.batch_norm(raw, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)
            # Burn keeps the variance over n, where PyTorch's layer keeps that over n - 1.
            with torch.no_grad():
                norm.running_mean.lerp_(raw.mean(0), norm.momentum)
                norm.running_var.lerp_(raw.var(0, correction=0), norm.momentum)
        return hidden, self.second(hidden)


NAMES = {
    "first.weight": "first.weight",
    "first.bias": "first.bias",
    "norm.gamma": "norm.weight",
    "norm.beta": "norm.bias",
    "norm.running_mean": "norm.running_mean",
    "norm.running_var": "norm.running_var",
    "second.weight": "second.weight",
    "second.bias": "second.bias",
}


def loaded(arrays):
    network = Layers()
    state = network.state_dict()
    for ours, theirs in NAMES.items():
        values = torch.tensor(arrays[ours])
        # A linear layer is stored [in, out] there.
        state[theirs] = values.reshape(state[theirs].mT.shape).mT if values.numel() == 6 else values
    network.load_state_dict(state)
    return network


def told(network):
    state = network.state_dict()
    arrays = {ours: state[theirs] for ours, theirs in NAMES.items()}
    return {name: (array.mT if array.ndim == 2 else array).reshape(-1).tolist() for name, array in arrays.items()}


def kd(student, teacher):
    log_p = F.log_softmax(student / T, dim=1)
    q = F.softmax(teacher.detach() / T, dim=1)
    return T * T * F.kl_div(log_p, q, reduction="batchmean")


def optimizer(parameters):
    """Biases and what scales statistics do not decay."""
    parameters = list(parameters)
    groups = [
        {"params": [each for each in parameters if each.ndim > 1], "weight_decay": 0.01},
        {"params": [each for each in parameters if each.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=RATE, momentum=0.9)


def peers(start):
    networks = [loaded(start["model"]), loaded(start["peer"])]
    optimizers = [optimizer(network.parameters()) for network in networks]
    for _ in range(STEPS):
        answers = [network(X)[1] for network in networks]
        losses = [F.cross_entropy(answers[n], Y) + kd(answers[n], answers[1 - n]) for n in (0, 1)]
        for loss, each in zip(losses, optimizers):
            each.zero_grad()
            loss.backward()
        for each in optimizers:
            each.step()
    return {"model": told(networks[0]), "peer": told(networks[1])}


def average(start):
    network, kept = loaded(start["model"]), None
    each = optimizer(network.parameters())
    for step in range(1, STEPS + 1):
        answer = network(X)[1]
        # Before the first step it is the student, with the statistics of the batch it has seen.
        teacher = copy.deepcopy(network)
        if kept is not None:
            teacher.load_state_dict(kept | {"norm.num_batches_tracked": torch.tensor(0)})
        teacher.eval()
        loss = F.cross_entropy(answer, Y) + kd(answer, teacher(X)[1])
        each.zero_grad()
        loss.backward()
        each.step()
        now = {name: values.clone() for name, values in network.state_dict().items() if values.dtype == torch.float64}
        decay = min(DECAY, (1 + step) / (10 + step))
        kept = now if kept is None else {name: decay * kept[name] + (1 - decay) * now[name] for name in now}
    mean = Layers()
    mean.load_state_dict(kept | {"norm.num_batches_tracked": torch.tensor(0)})
    return {"model": told(network), "average": told(mean)}


def itself(start):
    network, head = loaded(start["model"]), nn.Linear(3, 2)
    head.load_state_dict({"weight": torch.tensor(start["exit.weight"]).reshape(3, 2).mT, "bias": torch.tensor(start["exit.bias"])})
    each = optimizer([*network.parameters(), *head.parameters()])
    for _ in range(STEPS):
        hidden, answer = network(X)
        early = head(hidden)
        loss = F.cross_entropy(answer, Y) + EXIT * F.cross_entropy(early, Y) + EXIT * kd(early, answer)
        each.zero_grad()
        loss.backward()
        each.step()
    exits = {"exit.weight": head.weight.detach().mT.reshape(-1).tolist(), "exit.bias": head.bias.detach().tolist()}
    return {"model": told(network)} | exits


def committees():
    generator = torch.Generator().manual_seed(5)
    answers = 6 * torch.randn(3, 4, 3, generator=generator)
    weights = torch.tensor([0.5, 0.3, 0.2])
    mean = lambda values: torch.einsum("m,mbc->bc", weights, values)
    labels = mean(torch.sigmoid(answers))
    return {
        "answers": answers.tolist(),
        "weights": weights.tolist(),
        "classes": torch.log(mean(torch.softmax(answers, dim=2))).tolist(),
        "labels": torch.logit(labels).tolist(),
        "values": mean(answers).tolist(),
    }


def experts():
    """The distribution that fits best to what each expert says of its own classes, found by a general search."""
    known = [[0, 1, 2], [2, 3], [4, 1, 3]]
    weights = np.array([0.5, 0.2, 0.3])
    rng = np.random.default_rng(9)
    cases = []
    for scale in (1.0, 3.0, 6.0):
        said = [softmax(scale * rng.standard_normal(len(classes))) for classes in known]

        def gap(logits):
            own = [log_softmax(logits[classes]) for classes in known]
            return sum(w * np.sum(p * (np.log(p) - q)) for w, p, q in zip(weights, said, own))

        found = minimize(gap, np.zeros(5), method="BFGS", options={"gtol": 1e-9, "maxiter": 10000})
        found = minimize(gap, found.x, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-15, "maxiter": 20000})
        cases.append({"said": [each.tolist() for each in said], "joint": softmax(found.x).tolist()})
    return {"known": known, "weights": weights.tolist(), "cases": cases}


ends = {"peers": peers(GIVEN["peers"]), "average": average(GIVEN["average"]), "itself": itself(GIVEN["itself"])}
packages = ["numpy", "scipy", "torch"]
versions = {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in packages}
print(json.dumps({"versions": versions, "start": GIVEN, "ends": ends, "committees": committees(), "experts": experts()}, separators=(",", ":")))
