"""Peak memory of PyTorch's VGG16, batch 8: what `ocellus bench network vgg16 --batch 8 --json` calls peak_resident."""

import torch
import torchvision


def peak_mib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024


torch.set_num_threads(2)
imported = peak_mib()
net = torchvision.models.vgg16(weights=None).eval()
with torch.inference_mode():
    x = torch.rand(8, 3, 224, 224)
    for _ in range(3):
        net(x)
print(f"{imported} MiB after the import, {peak_mib()} MiB at most")
