// To come.
const workloadsView = () => () => [];
