from envforge.facts.compile import COMPILED, DATA, compile_facts


def test_compiled_facts_equal_the_yaml():
    texts = compile_facts(DATA)
    assert texts == {path.stem: path.read_text() for path in COMPILED.glob("*.json")}
