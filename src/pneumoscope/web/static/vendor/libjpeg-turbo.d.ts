export { default } from "./charls.js";
