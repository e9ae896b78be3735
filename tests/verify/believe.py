"""A GPU to believe in: torch's CUDA surface over CPU tensors, so that the CUDA branches of the checks run.

It proves the checks' own logic and that each can fail; it cannot show that a GPU gives the same answers.
"""


def gpu(torch):  # noqa: C901 - one source to copy
    import contextlib
    import os
    import time
    import types

    from torch.overrides import TorchFunctionMode

    def cpu(x):
        if isinstance(x, torch.device) and x.type == "cuda":
            return torch.device("cpu")
        return "cpu" if isinstance(x, str) and x.startswith("cuda") else x

    class OnTheCpu(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if getattr(function, "__name__", "") == "pin_memory":
                return args[0]
            kwargs = {name: cpu(word) for name, word in (kwargs or {}).items()}
            return function(*[cpu(word) for word in args], **kwargs)

    class Stream:
        cuda_stream = 0

        def wait_stream(self, other):
            pass

        def wait_event(self, event):
            pass

    class Event:
        def __init__(self, **options):
            pass

        def record(self, stream=None):
            self.at = time.perf_counter()

        def synchronize(self):
            pass

        def elapsed_time(self, other):
            return (other.at - self.at) * 1e3 * float(os.environ.get("FAKE_TIME", "1"))

    class Graph:
        """Remembers what was captured, and does it again."""

        def replay(self):
            out, x = self.captured
            out.copy_((x @ x) * 2 + 1 + float(os.environ.get("FAKE_GRAPH", "0")))

    @contextlib.contextmanager
    def capture(graph):
        import inspect

        frame = inspect.currentframe().f_back.f_back
        yield
        graph.captured = (frame.f_locals["y"], frame.f_locals["x"])

    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    torch.version.cuda = "13.0"
    major, minor = (int(part) for part in os.environ.get("FAKE_CAPABILITY", "9.0").split("."))
    card = types.SimpleNamespace(
        name=os.environ.get("FAKE_CARD", "NVIDIA H100 80GB HBM3"),
        major=major,
        minor=minor,
        total_memory=1 << 26,
        multi_processor_count=132,
        uuid="11111111-2222-3333-4444-555555555555",
        L2_cache_size=1 << 20,
    )
    surface = {
        "is_available": lambda: True,
        "device_count": lambda: (
            int(os.environ.get("FAKE_GPUS", "1")) if visible in ("", "0") else len(visible.split(","))
        ),
        "set_device": lambda device: None,
        "get_device_properties": lambda device: card,
        "mem_get_info": lambda device=None: (int(float(os.environ.get("FAKE_FREE", "1")) * (1 << 26)), 1 << 26),
        "synchronize": lambda device=None: None,
        "empty_cache": lambda: None,
        "is_bf16_supported": lambda *words, **options: True,
        "get_arch_list": lambda: os.environ.get("FAKE_ARCHS", "sm_80 sm_90 compute_90").split(),
        "can_device_access_peer": lambda i, j: True,
        "current_stream": lambda *words: Stream(),
        "stream": lambda stream: contextlib.nullcontext(),
        "graph": capture,
        "Stream": Stream,
        "Event": Event,
        "CUDAGraph": Graph,
    }
    torch.Tensor.record_stream = lambda self, stream: None
    for name, made in surface.items():
        if name != os.environ.get("FAKE_LACK"):
            setattr(torch.cuda, name, made)
        else:
            delattr(torch.cuda, name)
    torch.backends.cudnn.is_available = lambda: True
    built = tuple(int(part) for part in os.environ.get("FAKE_CUDNN", "9.13.0").split("."))
    torch._C._cudnn = types.SimpleNamespace(getCompileVersion=lambda: built, getRuntimeVersion=lambda: (9, 13, 0))
    OnTheCpu().__enter__()


def flags_of_cuda_13(torch):
    torch._C._cuda_getArchFlags = lambda: "sm_80 sm_90 compute_90"


def conv_without_a_sublibrary(torch):
    def refuse(*words, **options):
        if words[0].dtype != torch.float64:
            raise RuntimeError("cuDNN error: CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED")
        return real(*words, **options)

    real = torch.nn.functional.conv2d
    torch.nn.functional.conv2d = refuse


def context_that_dies_with_a_convolution(torch):
    def refuse(*words, **options):
        def dead(*words, **options):
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

        torch.zeros = dead
        return dead()

    torch.nn.functional.conv2d = refuse


def a_second_gpu_that_hangs(torch):
    import os
    import pathlib
    import time

    real = torch.fft.rfft

    def hang(*words, **options):
        if "GPU-" in os.environ.get("CUDA_VISIBLE_DEVICES", ""):
            pathlib.Path(os.environ["FAKE_MARK"]).write_text(str(os.getpid()))
            time.sleep(600)
        return real(*words, **options)

    torch.fft.rfft = hang


def kernels_without_an_image(torch):
    def refuse(*words, **options):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device")

    torch.full = refuse


def attention_that_leaks_the_future(torch):
    real = torch.nn.functional.scaled_dot_product_attention

    def leak(*words, is_causal):
        return real(*words)

    torch.nn.functional.scaled_dot_product_attention = leak


def scaled_product_of_the_cpu(torch):
    import os

    def scaled(a, b, scale_a, scale_b, out_dtype=None, use_fast_accum=False):
        out = (a.float() @ b.float()).to(out_dtype)
        out[3, 5] += float(os.environ.get("FAKE_FP8", "0"))
        return out

    torch._scaled_mm = scaled


def integer_product_that_saturates(torch):
    real = torch._int_mm
    torch._int_mm = lambda a, b: real(a, b).clamp(-32768, 32767)


def gcd_that_differs_at_the_second_call(torch):
    real, calls = torch.gcd, []

    def gcd(a, b):
        calls.append(1)
        return real(a, b) + (len(calls) > 1)

    torch.gcd = gcd


def a_stream_that_does_not_wait(torch):
    real = torch.Tensor.__mul__

    def early(self, other):
        out = real(self, other)
        return out - 2 if type(other) is int and self.dtype == torch.int32 and self.numel() == 1 << 22 else out

    torch.Tensor.__mul__ = early


def assertions_that_are_lost(torch):
    torch._assert_async = lambda tensor: None


def product_with_a_constant_fault(torch):
    real = torch.Tensor.__matmul__

    def wrong(self, other):
        out = real(self, other)
        if out.dim() == 2 and out.shape[0] == 512:
            out[100, 100] += 1
        return out

    torch.Tensor.__matmul__ = wrong


def product_with_a_constant_fault_anywhere(torch):
    real = torch.Tensor.__matmul__

    def wrong(self, other):
        out = real(self, other)
        if out.dim() == 2:
            out[100, 100] += 1
        return out

    torch.Tensor.__matmul__ = wrong


def product_that_is_wrong_now_and_then(torch):
    real, calls = torch.Tensor.__matmul__, []

    def wrong(self, other):
        out = real(self, other)
        calls.append(1)
        if len(calls) == 6:
            out[1, 1] += 1
        return out

    torch.Tensor.__matmul__ = wrong


def memory_with_a_stuck_bit(torch):
    real = torch.Tensor.fill_

    def stuck(self, number):
        out = real(self, number)
        if self.dtype == torch.int64:
            out[777] |= 1
        return out

    torch.Tensor.fill_ = stuck


def memory_with_crossed_addresses(torch):
    real = torch.Tensor.copy_

    def crossed(self, source, **options):
        out = real(self, source, **options)
        if self.dtype == torch.int64 and self.numel() > 4096:
            out[[5, 4096]] = out[[4096, 5]]
        return out

    torch.Tensor.copy_ = crossed


def copies_between_gpus_that_never_happen(torch):
    real = torch.Tensor.copy_

    def lost(self, source, **options):
        return self if self.dtype == torch.int32 and self.numel() == 1024 else real(self, source, **options)

    torch.Tensor.copy_ = lost


def a_host_that_is_held_up_at_one_copy(torch):
    import time

    real, copies = torch.Tensor.copy_, []

    def held_up(self, source, **options):
        if self.dtype == torch.uint8:
            copies.append(1)
            if len(copies) == 4:
                time.sleep(2)
        return real(self, source, **options)

    torch.Tensor.copy_ = held_up


def loader_whose_worker_dies(torch):
    import torch.utils.data

    class Loader:
        def __init__(self, *words, **options):
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error.")

    torch.utils.data.DataLoader = Loader


def loader_that_loses_a_number(torch):
    import torch.utils.data

    real = torch.utils.data.TensorDataset
    torch.utils.data.TensorDataset = lambda numbers: real(numbers.clone().fill_(1))


def sums_with_one_too_many(torch):
    import torch.distributed as dist

    real = dist.all_reduce

    def wrong(tensor, *words, **options):
        real(tensor, *words, **options)
        tensor[0] += 1

    dist.all_reduce = wrong


def groups_that_do_not_start(torch):
    import torch.distributed as dist

    def refuse(*words, **options):
        raise RuntimeError("the group does not start")

    dist.init_process_group = refuse


def nccl_to_believe_in(torch):
    """NCCL as gloo, which fails with peer traffic (FAKE_NCCL=p2p), between ranks (ranks) or always (all)."""
    import os

    import torch.distributed as dist

    real = dist.init_process_group

    def start(backend, **options):
        fault, alone = os.environ.get("FAKE_NCCL"), options["world_size"] == 1
        p2p = os.environ.get("NCCL_P2P_DISABLE") != "1"
        if fault == "all" or (fault == "ranks" and not alone) or (fault == "p2p" and p2p and not alone):
            raise RuntimeError("ncclSystemError: no transport")
        return real("gloo", **options)

    dist.init_process_group = start
    dist.is_nccl_available = lambda: True
    torch.cuda.nccl.version = lambda: (2, 28, 3)


def compiled_results_that_differ(torch):
    torch.compile = lambda function: lambda *words: function(*words) * 1.01


def compilers_that_are_missing(torch):
    def refuse(function):
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found in torch._inductor.config.cpp.cxx")

    torch.compile = refuse


def extension_builder_that_fails(torch):
    import os

    from torch.utils import cpp_extension

    def refuse(*words, **options):
        raise RuntimeError(os.environ["FAKE_BUILD"])

    cpp_extension.load_inline = refuse


def extension_that_is_wrong(torch):
    import types

    from torch.utils import cpp_extension

    factor = 3
    cpp_extension.load_inline = lambda *words, **options: types.SimpleNamespace(twice=lambda x: x * factor + 1)


def extension_that_is_right(torch):
    import types

    from torch.utils import cpp_extension

    cpp_extension.load_inline = lambda *words, **options: types.SimpleNamespace(twice=lambda x: x * 2 + 1)


def int8_without_a_kernel(torch):
    """cuBLASLt before CUDA 12.3 below sm_80."""

    def refuse(a, b):
        raise RuntimeError(
            "CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `cublasLtMatmul with transpose_mat1 0`"
        )

    torch._int_mm = refuse


def float8_for_hopper_alone(torch):
    """torch 2.1."""

    def refuse(a, b, **options):
        raise RuntimeError("torch._scaled_mm is only supported on devices with compute capability >= 9.0)")

    torch._scaled_mm = refuse


def convolutions_without_bfloat16(torch):
    """torch 1.8 on a card that multiplies bfloat16."""
    real = torch.nn.functional.conv2d

    def conv(x, *words, **options):
        if x.dtype == torch.bfloat16:
            raise RuntimeError("\"slow_conv2d_cuda\" not implemented for 'BFloat16'")
        return real(x, *words, **options)

    torch.nn.functional.conv2d = conv


def attention_of_cudnn_without_a_plan(torch):
    """torch 2.5 offers it, cuDNN finds no kernel."""
    real, switches = torch.nn.functional.scaled_dot_product_attention, torch.backends.cuda

    def attend(*words, **options):
        if switches.cudnn_sdp_enabled() and not switches.math_sdp_enabled():
            raise RuntimeError("cuDNN Frontend error: [cudnn_frontend] Error: No valid execution plans built.")
        return real(*words, **options)

    torch.nn.functional.scaled_dot_product_attention = attend


def convolutions_that_find_no_memory(torch):
    real = torch.nn.functional.conv2d

    def conv(x, *words, **options):
        if x.dtype != torch.float64:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return real(x, *words, **options)

    torch.nn.functional.conv2d = conv


def collectives_without_bfloat16(torch):
    """NCCL before 2.10."""
    import torch.distributed as dist

    real = dist.all_reduce

    def reduce(tensor, *words, **options):
        if tensor.dtype == torch.bfloat16:
            raise RuntimeError("Input tensor data type is not supported for NCCL process group: BFloat16")
        return real(tensor, *words, **options)

    dist.all_reduce = reduce
