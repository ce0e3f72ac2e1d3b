from tests.simulation.world import World


def test_what_is_to_be_looked_at_waits_while_the_server_stands_still() -> None:
    world, looked = World(1), list[str]()
    world.start_server()
    world.run(0.5)
    world.observatory.at(world.kernel.now + 0.1, looked.append, "den")
    world.freeze_server(3.0)
    world.run(2.9)
    assert looked == []
    world.run(1.5)
    assert looked == ["den"]
    world.close()


def test_what_is_to_be_looked_at_on_one_server_is_not_looked_at_on_the_next() -> None:
    world, looked = World(1), list[str]()
    world.start_server()
    world.run(0.5)
    world.observatory.at(world.kernel.now + 0.1, looked.append, "den")
    world.freeze_server(3.0)
    world.run(0.5)
    world.crash_server(0.0)
    world.start_server()
    world.run(5.0)
    assert looked == []
    world.observatory.at(world.kernel.now + 0.1, looked.append, "attic")
    world.run(0.2)
    assert looked == ["attic"]
    world.close()
