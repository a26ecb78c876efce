// `s init` renders s.yaml by itself; the files of files.json hold placeholders too.
const files = require('./files.json');

exports.postInit = async (input) => {
  for (const file of files) {
    await input.artTemplate(file);
  }
};
