// `s init` only renders s.yaml itself. The files of files.json contain placeholders as well.
const files = require('./files.json');

exports.postInit = async (input) => {
  for (const file of files) {
    await input.artTemplate(file);
  }
};
