// A part of the matrix over a longer line that loses packets, as mobile data are.
import {matrix} from './matrix.mjs';

matrix({every: 8, from: 0, shape: ['-delay', '20ms', '-loss', '0.01']});
