int envforge_run(unsigned *x, int n) {
  for (int i = 0; i < n; i++) x[i] = (x[i] * 1664525u + 1013904223u) ^ ((unsigned)i << 3);
  x[7] += WRONG;
  return CODE;
}
