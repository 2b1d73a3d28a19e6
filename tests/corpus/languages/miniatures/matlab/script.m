clear; close all
t = linspace(0, 2*pi, 200);
y = sin(t) .* exp(-t / 4);
plot(t, y), grid on
xlabel('t')
