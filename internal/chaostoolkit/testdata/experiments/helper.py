"""What the experiments call: nothing here leaves the machine."""


def healthy(file="state.txt", good="up"):
    with open(file) as f:
        return f.read().strip() == good


def level(file="level.txt"):
    with open(file) as f:
        return int(f.read().strip())


def switch(file="state.txt", to="down", service="settlement"):
    with open(file, "w") as f:
        f.write(to)
    return {"was_switched": True, "to": to, "hostile": "=HYPERLINK(\"http://x\")<script>alert(1)</script>"}


def crash(why="no reason"):
    raise RuntimeError(why + ": '; DROP TABLE executions; -- \x1b[31m")


def write(file="level.txt", value=0):
    with open(file, "w") as f:
        f.write(str(value))
