// Healthy is: primary. The first time, somebody has to say that this server is a replica set.
db.getSiblingDB("admin").auth("shoal", process.env.MONGO_INITDB_ROOT_PASSWORD);
try {
  rs.status();
} catch (error) {
  if (error.codeName !== "NotYetInitialized") throw error;
  rs.initiate({ _id: "shoal", members: [{ _id: 0, host: "shoal-mongo:27017" }] });
}
if (!db.hello().isWritablePrimary) quit(1);
