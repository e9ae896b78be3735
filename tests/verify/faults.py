"""Faults to plant in a real torch, right after its import. Each function stands alone: its source is copied."""


def numpy_of_another_abi(torch):
    def refuse(array):
        raise RuntimeError("Numpy is not available")

    torch.from_numpy = refuse


def copies_that_change_a_word(torch):
    copy = torch.Tensor.copy_

    def damaged(self, source, **options):
        out = copy(self, source, **options)
        if out.dtype == torch.int32 and out.numel() == 1 << 20:
            out[12345] += 1
        return out

    torch.Tensor.copy_ = damaged


def sort_that_swaps(torch):
    sort = torch.Tensor.sort

    def swapped(self, *words, **options):
        values, places = sort(self, *words, **options)
        values[[10, 200000]] = values[[200000, 10]]
        return values, places

    torch.Tensor.sort = swapped


def convolution_off_by_one(torch):
    real = torch.nn.functional.conv2d

    def wrong(x, *words, **options):
        out = real(x, *words, **options)
        return out + 1 if x.dtype == torch.float16 else out

    torch.nn.functional.conv2d = wrong


def eigenvectors_of_another_matrix(torch):
    real = torch.linalg.eigh

    def wrong(matrix):
        values, vectors = real(matrix)
        return values, vectors.flip(0)

    torch.linalg.eigh = wrong


def transform_with_one_wrong_frequency(torch):
    real = torch.fft.rfft

    def wrong(signal, *words, **options):
        out = real(signal, *words, **options)
        out[77] *= 1.001
        return out

    torch.fft.rfft = wrong


def seed_that_is_ignored(torch):
    torch.manual_seed = lambda seed: None


def optimiser_that_does_nothing(torch):
    class Lazy:
        def __init__(self, weights, lr):
            pass

        def zero_grad(self):
            pass

        def step(self):
            pass

    torch.optim.AdamW = Lazy


def optimiser_that_wants_a_package(torch):
    def wants(weights, lr):
        import pkg_resources_of_old  # noqa: F401

    torch.optim.AdamW = wants


def product_with_one_wrong_element(torch):
    real = torch.Tensor.__matmul__

    def wrong(self, other):
        out = real(self, other)
        if self.dtype == torch.bfloat16 and out.dim() == 2:
            out[17, 23] += 1
        return out

    torch.Tensor.__matmul__ = wrong


def float32_products_in_tf32(torch):
    real = torch.Tensor.__matmul__

    def cut(x):
        return (x.view(torch.int32) & -8192).view(torch.float32) if x.dtype == torch.float32 else x

    torch.Tensor.__matmul__ = lambda self, other: real(cut(self), cut(other))


def half_products_in_eight_bits(torch):
    real = torch.Tensor.__matmul__

    def cut(self, other):
        out = real(self, other)
        return out.bfloat16().half() if out.dtype == torch.float16 else out

    torch.Tensor.__matmul__ = cut


def product_that_is_nan(torch):
    real = torch.Tensor.__matmul__
    torch.Tensor.__matmul__ = lambda self, other: real(self, other) * float("nan")


def device_that_cannot_add(torch):
    torch.full = lambda *words, **options: torch.tensor([40], dtype=torch.int32)


def device_that_hangs(torch):
    import time

    torch.full = lambda *words, **options: time.sleep(600)


def device_that_crashes(torch):
    import ctypes

    torch.full = lambda *words, **options: ctypes.string_at(0)


def cuda_13_build(torch):
    torch.version.cuda = "13.0"


def gradient_with_a_wrong_sign(torch):
    real = torch.Tensor.backward

    def wrong(self, *words, **options):
        real(self * -1, *words, **options)

    torch.Tensor.backward = wrong
