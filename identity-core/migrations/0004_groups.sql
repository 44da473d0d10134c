-- Groups. Names are not unique: RFC 7643 section 4.2 does not ask for it, and identity providers push equal ones.
CREATE TABLE groups (
    tenant_id        uuid NOT NULL REFERENCES tenant,
    group_id         uuid NOT NULL,
    display_name     text NOT NULL,
    display_name_key text COLLATE "C" NOT NULL, -- folded
    external_id      text COLLATE "C",
    version          bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    last_modified_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, group_id)
);
CREATE INDEX groups_display_name ON groups (tenant_id, display_name_key);
CREATE INDEX groups_external_id ON groups (tenant_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX groups_last_modified ON groups (tenant_id, last_modified_at);

-- One row for each member: a user or a group, whose end is the membership's end. The two columns are what the foreign keys
-- hold to.
CREATE TABLE member (
    tenant_id       uuid NOT NULL,
    group_id        uuid NOT NULL,
    member_id       uuid NOT NULL,
    is_group        boolean NOT NULL,
    display         text, -- as the client gave it; null: the member's own name
    member_user_id  uuid GENERATED ALWAYS AS (CASE WHEN NOT is_group THEN member_id END) STORED,
    member_group_id uuid GENERATED ALWAYS AS (CASE WHEN is_group THEN member_id END) STORED,
    PRIMARY KEY (tenant_id, group_id, member_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES groups ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, member_user_id) REFERENCES users ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, member_group_id) REFERENCES groups ON DELETE CASCADE
);
CREATE INDEX member_user ON member (tenant_id, member_user_id, group_id) WHERE member_user_id IS NOT NULL;
CREATE INDEX member_group ON member (tenant_id, member_group_id, group_id) WHERE member_group_id IS NOT NULL;

-- The groups that a user or a group is in, directly or through others, the nearest first. Each comes once directly and once
-- indirectly at most, so that cycles end; read lazily, so that a limit around it bounds the work.
CREATE FUNCTION ancestors(of_tenant uuid, of_member uuid) RETURNS TABLE (group_id uuid, direct boolean)
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE above (group_id, direct) AS (
        (SELECT m.group_id, true FROM member AS m WHERE m.tenant_id = of_tenant AND m.member_user_id = of_member
         UNION ALL
         SELECT m.group_id, true FROM member AS m WHERE m.tenant_id = of_tenant AND m.member_group_id = of_member)
        UNION
        SELECT m.group_id, false
        FROM above JOIN member AS m ON m.tenant_id = of_tenant AND m.member_group_id = above.group_id
    )
    SELECT above.group_id, above.direct FROM above
$$;

-- Takes members out one by one, each by its whole key; how many there were. As one statement over all of them it would be planned
-- by what is known of the group, and read all of it where little is known.
CREATE FUNCTION remove_members(of_tenant uuid, of_group uuid, ids uuid[]) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    one uuid;
    removed bigint := 0;
BEGIN
    FOREACH one IN ARRAY ids LOOP
        DELETE FROM member AS m WHERE m.tenant_id = of_tenant AND m.group_id = of_group AND m.member_id = one;
        removed := removed + CASE WHEN FOUND THEN 1 ELSE 0 END;
    END LOOP;
    RETURN removed;
END $$;

DO $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY ARRAY ['groups', 'member'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', one);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', one);
        EXECUTE format('CREATE POLICY of_tenant ON %I TO portcullis_tenant '
                       'USING (tenant_id = current_setting(''portcullis.tenant_id'')::uuid)', one);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO portcullis_tenant', one);
    END LOOP;
END $$;
CREATE POLICY of_system ON groups TO portcullis_system USING (true);
GRANT DELETE, SELECT (tenant_id, group_id) ON groups TO portcullis_system; -- deleting a tenant
