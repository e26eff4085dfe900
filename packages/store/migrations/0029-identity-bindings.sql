-- Identity servers that publish whose an address is, because we were asked to have it published there.
CREATE TABLE identity_bindings (
  user_id TEXT NOT NULL,
  medium TEXT NOT NULL,
  -- As the identity server has confirmed it.
  address TEXT NOT NULL,
  -- Host and port, in small letters.
  id_server TEXT NOT NULL,
  bound_ts INTEGER NOT NULL,
  PRIMARY KEY (user_id, medium, address, id_server)
) WITHOUT ROWID;
