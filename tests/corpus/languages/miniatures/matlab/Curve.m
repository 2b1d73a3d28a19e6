classdef Curve < handle
    properties
        points = zeros(0, 2);
    end
    methods
        function obj = Curve(points)
            obj.points = points;
        end
        function len = measure(obj)
            len = sum(sqrt(sum(diff(obj.points).^2, 2)));
        end
    end
end
