// To come.
const membersView = () => () => [];
