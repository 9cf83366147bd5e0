-- Grants that wait until their users confirm them, since an older copy of the data was put back.

CREATE INDEX grants_suspended ON grants (client_id) WHERE state = 'suspended';
