-- A call can go on to another target: its later attempts are held for apart, and booked for the call. call_id: the call that a later attempt belongs to.
-- attempt: its number, from 2. admitted_at: when the call was admitted. NULL: a first attempt, whose hold is its call's.
ALTER TABLE holds ADD COLUMN call_id uuid, ADD COLUMN attempt smallint, ADD COLUMN admitted_at timestamptz;

-- moved: the call goes on to another attempt. credential_used: what served it in the end, '' for none; NULL: the one in the context of its hold.
ALTER TYPE outcome ADD ATTRIBUTE moved boolean, ADD ATTRIBUTE credential_used text;

CREATE INDEX holds_call_idx ON holds (call_id) WHERE call_id IS NOT NULL;
