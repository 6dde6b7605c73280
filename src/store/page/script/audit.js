// To come.
const auditView = () => () => [];
