"""Whom the cluster lets run jobs."""


def test_a_job_is_run_for_who_has_rays_token_and_for_nobody_else(settled, service):
    done = settled.submit("python", "-c", "print('six times', 7)", token=service.ray_token)
    assert done.returncode == 0, done.stderr
    assert "six times 7" in done.stdout
    for token in (None, "0" * 64):
        refused = settled.submit("python", "-c", "print('six times', 7)", token=token)
        assert refused.returncode != 0
        assert "six times 7" not in refused.stdout
        assert "auth" in (refused.stdout + refused.stderr).lower()
