-- When the call of a hold can no longer run: its own time-outs, and ten seconds to book it. Older processes do not say; theirs are the defaults.
CREATE OR REPLACE FUNCTION call_ends(p_created_at timestamptz, p_context jsonb) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
  SELECT p_created_at + (coalesce((p_context ->> 'deadline_ms')::bigint, 1925000) + 10000) * interval '1 millisecond'
$$;

-- Whether the reaper may book a hold: its lease is over, and its call too, unless its gateway is marked as gone.
CREATE FUNCTION is_overdue(p_lease_until timestamptz, p_created_at timestamptz, p_context jsonb, p_now timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT p_lease_until < p_now AND (p_lease_until = '-infinity' OR call_ends(p_created_at, p_context) < p_now)
$$;

-- Whether a gateway is known to be gone, so that it books nothing more. A lease without an end in time is how its open holds are marked; a hold
-- that landed after that was made before it.
CREATE FUNCTION is_gone(p_gateway_id uuid, p_lease_until timestamptz, p_created_at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT p_lease_until = '-infinity' OR coalesce((SELECT g.gone_at >= p_created_at FROM gateways g WHERE g.id = p_gateway_id), false)
$$;
