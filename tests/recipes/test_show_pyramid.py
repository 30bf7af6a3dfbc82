"""The figure of the docs comes from its command, on small networks here."""

from recipes import show_pyramid


def test_the_figure_is_drawn_and_the_plain_network_stays_inside(tmp_path):
    path = tmp_path / "pyramid.png"
    shares = show_pyramid.main(["--smoke", f"--picture={path}"])
    assert path.read_bytes().startswith(b"\x89PNG")
    assert shares["PyConvResNetMini"] > 0
    assert shares["ResNetMini"] == 0


def test_a_network_without_weights_is_called_untrained_beside_another():
    files = ("runs/trained.weights.h5", None)
    assert show_pyramid.title(("A", "B"), files, 2021) == (
        "A: trained.weights.h5; B: untrained, seed 2021"
    )
    assert show_pyramid.title("AB", (None, None), 1) == (
        "Untrained networks, seed 1"
    )
