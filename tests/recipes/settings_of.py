"""What a command line makes of a recipe's settings."""

from recipes import command_line


def settings_of(recipe, *words):
    """As the recipe's `main` takes them."""
    presets = getattr(recipe, "PRESETS", None) or (recipe.SMOKE,)
    return command_line.parse("", recipe.SETTINGS, words, presets)
