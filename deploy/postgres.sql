-- Run once, by PostgreSQL's image, when it makes the database. identity-core's role owns its database and makes the two
-- roles that its statements run as; it is no superuser.
\getenv password OWNER_PASSWORD
CREATE ROLE portcullis LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE portcullis OWNER portcullis;
