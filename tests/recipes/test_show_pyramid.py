"""The figure of the docs comes from its command, on small networks here."""

from recipes import show_pyramid


def test_the_figure_is_drawn_and_the_plain_network_stays_inside(tmp_path):
    path = tmp_path / "pyramid.png"
    shares = show_pyramid.main(["--smoke", f"--picture={path}"])
    assert path.read_bytes().startswith(b"\x89PNG")
    assert shares["PyConvResNetMini"] > 0
    assert shares["ResNetMini"] == 0
