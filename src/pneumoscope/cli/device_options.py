"""Options that choose the device and the precision of a command."""

import click

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda[:N]|mps",
    help="Device of the network; auto: the first of cuda, mps and cpu that this machine has.",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16", "fp16"]),
    default="fp32",
    show_default=True,
    help="Precision of the training steps (autocast); what is measured and exported is always in fp32.",
)
compile_option = click.option("--compile", "compiled", is_flag=True, help="Compile the network with torch.compile.")
