-- Tables that pixform opened to the role `anon`, and to nobody else, are opened to `authenticated` and `service_role` as
-- well: what everybody may read is no secret to these. They are known by their policy. Only where the role that runs this
-- owns the table, and where `anon` may still read it: what was closed since stays closed.

DO $pixform$ DECLARE made regclass; reader name; BEGIN
  FOR made IN
    SELECT p.polrelid FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
    WHERE p.polname = 'pixform_read' AND p.polcmd = 'r' AND p.polroles = '{0}'
      AND pg_has_role(c.relowner, 'USAGE') AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon')
    ORDER BY p.polrelid
  LOOP
    CONTINUE WHEN NOT has_table_privilege('anon', made, 'SELECT');
    FOR reader IN SELECT rolname FROM pg_roles WHERE rolname IN ('authenticated', 'service_role') ORDER BY rolname LOOP
      EXECUTE format('GRANT SELECT ON %s TO %I', made, reader);
    END LOOP;
  END LOOP;
END $pixform$;
